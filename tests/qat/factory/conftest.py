"""Model and pictures for the factory."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from tests.qat.models import SIZE, small_yolox


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a float model, its description, pictures and labels."""
    folder = tmp_path_factory.mktemp("data")
    small_yolox(folder / "small.onnx")
    description = {
        "name": "small",
        "version": "1.0.0",
        "task": "detection",
        "input": {
            "width": SIZE,
            "height": SIZE,
            "layout": "nhwc",
            "colour": "bgr",
            "mean": [128.0] * 3,  # so that random weights give boxes of sound sizes
            "std": [255.0] * 3,
        },
        "decoder": {"family": "yolox", "strides": [8, 16], "boxes": "raw"},
        "licence": "Apache-2.0",
        "attribution": "made by the tests",
        "labels": ["a", "b", "c"],
    }
    (folder / "small.yaml").write_text(yaml.safe_dump(description), encoding="utf-8")
    random = np.random.default_rng(0)
    for kind in ("pictures", "labels", "golden"):
        (folder / kind).mkdir()
    for number in range(8):
        coarse = random.integers(0, 256, (6, 8, 3), np.uint8)
        picture = cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / "pictures" / f"{number}.png"), picture)
        (folder / "labels" / f"{number}.txt").write_text(f"{number % 3} 0.5 0.5 0.4 0.5\n", encoding="utf-8")
    cv2.imwrite(str(folder / "golden" / "0.png"), random.integers(0, 256, (120, 160, 3), np.uint8))
    return folder
