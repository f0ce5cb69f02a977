"""Health of pictures: black, covered, frozen, out of focus."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgeagent.camera.health import (
    HOLD_S,
    USUAL_SAMPLES,
    HealthState,
    PictureHealth,
    UsualSharpness,
    measure,
)
from edgeagent.imaging.frame import Image
from tests.data import shared

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


def night(light: float, noise: float, level: float) -> Image:
    """Return the scene in little light, with the noise of a sensor at high gain."""
    picture = SCENE * light + level + RANDOM.normal(0, noise, SCENE.shape)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


@pytest.mark.parametrize(
    ("light", "noise", "level"),
    [(0.05, 3, 3), (0.05, 1, 1), (0.1, 5, 0), (0.02, 6, 2), (0, 6, 4), (0, 10, 20)],
)
def test_a_dark_scene_is_no_fault(light: float, noise: float, level: float) -> None:
    """Its structure shows, or the noise of the sensor does."""
    health, now = healthy()
    for second in range(60):
        assert health.sample(night(light, noise, level), now + second) == "ok"


def test_the_morning_after_a_noisy_night_is_in_focus() -> None:
    health, now = healthy()
    for second in range(300):
        health.sample(night(0.1, 12, 5), now + second)
    for second in range(300, 400):
        assert health.sample(noisy(SCENE), now + second) == "ok"


def test_a_usual_sharpness_is_a_low_one_of_the_last_day() -> None:
    usual = UsualSharpness()
    for sharpness, samples in ((1.0, 9), (1.0, 1), (0.1, 10 * USUAL_SAMPLES), (1.0, 10 * USUAL_SAMPLES)):
        for _ in range(samples):
            usual.record(sharpness)
        assert usual.value == {9: None, 1: 1.0}.get(samples, pytest.approx(0.1))


@pytest.mark.data
@pytest.mark.parametrize("clip", ["vtest.avi", "one-by-one-person-detection.mp4"])
def test_real_scenes_have_no_fault(clip: str) -> None:
    video, health, states = cv2.VideoCapture(str(shared("video", clip))), PictureHealth(), set()
    number = 0
    while video.grab():
        if number % 10 == 0:  # 10 frames a second
            states.add(health.sample(np.asarray(video.retrieve()[1], np.uint8), number / 10))
        number += 1
    assert number > 500
    assert states == {"ok"}


def test_few_samples_are_no_judgement() -> None:
    health = PictureHealth()
    for minute in range(9):
        assert health.sample(np.zeros_like(SCENE), 60.0 * minute) == "ok"


def test_a_picture_of_one_pixel_can_be_measured() -> None:
    assert measure(np.zeros((1, 1, 3), np.uint8)).deviation == 0.0
