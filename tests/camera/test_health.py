"""Health of pictures: black, covered, frozen, out of focus."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgeagent.camera.health import HOLD_S, HealthState, PictureHealth, measure
from edgeagent.imaging.frame import Image

RANDOM = np.random.default_rng(7)
_CELLS = RANDOM.integers(0, 256, (30, 40, 3), np.uint8)
SCENE = np.asarray(cv2.resize(_CELLS, (160, 120), interpolation=cv2.INTER_NEAREST), np.uint8)


def noisy(image: Image) -> Image:
    """Return a picture with the noise of a sensor."""
    noise = RANDOM.integers(-2, 3, image.shape, np.int16)
    return np.asarray(np.clip(image.astype(np.int16) + noise, 0, 255), np.uint8)


def healthy() -> tuple[PictureHealth, float]:
    """Return the health of a camera after a minute of good pictures, and the time."""
    health = PictureHealth()
    for second in range(60):
        assert health.sample(noisy(SCENE), float(second)) == "ok"
    return health, 60.0


FAULTS: dict[HealthState, Image] = {
    "black": np.full_like(SCENE, 3),
    "covered": np.full_like(SCENE, 90),
    "out_of_focus": cv2.GaussianBlur(SCENE, (0, 0), 6.0).astype(np.uint8),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_reported_within_a_minute_and_ends_at_once(fault: HealthState) -> None:
    health, now = healthy()
    states = [health.sample(noisy(FAULTS[fault]), now + second) for second in range(60)]
    assert states[: int(HOLD_S)] == ["ok"] * int(HOLD_S)
    assert states[-1] == fault
    assert health.sample(noisy(SCENE), now + 60) == "ok"


def test_a_frozen_picture_is_one_that_does_not_change_at_all() -> None:
    health, now = healthy()
    still = noisy(SCENE)
    assert [health.sample(still, now + second) for second in range(60)][-1] == "frozen"
    assert health.sample(noisy(SCENE), now + 60) == "ok"


def test_a_short_fault_is_none() -> None:
    health, now = healthy()
    for second in range(20):
        assert health.sample(np.zeros_like(SCENE), now + second) == "ok"
    for second in range(20, 40):
        assert health.sample(noisy(SCENE), now + second) == "ok"


def test_half_the_light_is_no_fault() -> None:
    health, now = healthy()
    for second in range(60):
        assert health.sample(noisy((SCENE // 2).astype(np.uint8)), now + second) == "ok"


def test_few_samples_are_no_judgement() -> None:
    health = PictureHealth()
    for minute in range(9):
        assert health.sample(np.zeros_like(SCENE), 60.0 * minute) == "ok"


def test_a_picture_of_one_pixel_can_be_measured() -> None:
    assert measure(np.zeros((1, 1, 3), np.uint8)).deviation == 0.0
