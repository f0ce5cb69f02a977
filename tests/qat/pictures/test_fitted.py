"""Pictures fitted into the input of a model."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edgeagent.bundle.manifest import InputSpec
from edgeagent.imaging.picture import read_picture
from edgeagent.qat.pictures.fitted import Fitted, fit

SPEC = InputSpec(width=192, height=160, layout="nhwc", colour="bgr")


def test_calibration_pictures_are_fitted_and_otherwise_untouched(tmp_path: Path) -> None:
    picture = tmp_path / "0.png"
    cv2.imwrite(str(picture), np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8))
    item = Fitted([picture], SPEC)[0]
    assert np.array_equal(item.numpy().transpose(1, 2, 0), fit(read_picture(picture), SPEC))
