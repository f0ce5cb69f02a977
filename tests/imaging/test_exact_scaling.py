from __future__ import annotations

import platform

import cv2
import numpy as np
import pytest

from edgeagent.imaging.exact_scaling import scale_exactly

SIZES = [(416, 312), (640, 480), (384, 288), (768, 576), (1000, 700), (61, 47), (1999, 1201), (1, 1)]


def picture() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (576, 768, 3), np.uint8)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="OpenCV scales differently on other machines")
@pytest.mark.parametrize("size", SIZES)
def test_equals_opencv_on_x86(size: tuple[int, int]) -> None:
    wanted = cv2.resize(picture(), size, interpolation=cv2.INTER_LINEAR)
    assert (scale_exactly(picture(), size) == wanted).all()


@pytest.mark.parametrize("size", SIZES[:-1])
def test_differs_by_one_step_at_most_from_opencv_on_any_machine(size: tuple[int, int]) -> None:
    found = cv2.resize(picture(), size, interpolation=cv2.INTER_LINEAR).astype(int)
    assert np.abs(scale_exactly(picture(), size).astype(int) - found).max() <= 1


def test_small_pictures() -> None:
    one = np.full((1, 1, 3), 77, np.uint8)
    assert (scale_exactly(one, (5, 4)) == 77).all()
    pair = np.array([[[0], [255]]], np.uint8)
    assert scale_exactly(pair, (4, 1))[0, :, 0].tolist() == [0, 64, 191, 255]
