"""``benchmarks/other_quantizers.py`` on a small network: a tool that is absent is left out."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines import cell_detector as cells
from tests.qat.models import YOLOX_DESCRIPTION, small_yolox

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_bundles_and_other_quantizers_are_measured_alike(tmp_path: Path) -> None:
    model, description = small_yolox(tmp_path / "small.onnx"), tmp_path / "small.yaml"
    description.write_text(YOLOX_DESCRIPTION, encoding="utf-8")
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.mkdir()
    labels.mkdir()
    for number in range(3):
        (images / f"{number}.png").write_bytes(cells.png(cells.picture([(number, 0)])))
        (labels / f"{number}.txt").write_text("0 0.5 0.5 0.5 0.5\n", encoding="utf-8")
    bundle = cells.build_bundle(tmp_path / "bundle").directory
    result = tmp_path / "result.json"
    command = [sys.executable, "benchmarks/other_quantizers.py", "--calibrate", images]
    command += ["--images", images, "--labels", labels, "--json", result, "--quantizer", "nncf"]
    command += ["--model", model, description, bundle]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(result.read_bytes())["rows"]
    assert [row["failure"] for row in rows] == [""] * len(rows)
    names = [row["quantizer"] for row in rows]
    assert names[:2] == ["edgeagent, bundle", "float"]
    assert rows[0]["difference"] is None
    assert rows[1]["low"] <= rows[1]["high"]
    assert "| small | float | onnxruntime " in done.stdout
    made = any(name.startswith("nncf") for name in names)
    assert made == (importlib.util.find_spec("nncf") is not None)
    assert made != ("nncf is not installed and is left out; pip install nncf" in done.stderr)
