"""Motion in pictures: noise and light do not move, things do, and nothing is allocated for a picture."""

from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest

from edgeagent.imaging.frame import Image
from edgeagent.vision.picture_motion import WHOLE_PICTURE, PictureMotion

AREA = 0.0005
SCENE = cv2.GaussianBlur(np.random.default_rng(1).integers(40, 200, (720, 1280, 3), np.uint8), (0, 0), 9)


def picture(noise: float = 0.0, person: int | None = None, seed: int = 0) -> Image:
    """Return a street with the noise of a sensor, and a person of 20 x 50 pixels at an x."""
    shown = SCENE.astype(np.float32)
    if person is not None:
        shown[300:350, person : person + 20] -= 60
    if noise:
        shown += np.random.default_rng(seed).normal(0, noise, shown.shape)
    return shown.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("noise", [0.0, 4.0, 15.0])
def test_a_still_scene_does_not_move_whatever_its_noise(noise: float) -> None:
    motion = PictureMotion(8.0)
    assert motion.observe(picture(noise), 0.0) == 1.0
    shares = [motion.observe(picture(noise, seed=n), n / 10) for n in range(1, 15)]
    assert max(shares) < AREA


@pytest.mark.parametrize("noise", [0.0, 4.0])
def test_a_far_person_that_walks_moves_in_every_frame(noise: float) -> None:
    motion = PictureMotion(8.0)
    for n in range(10):
        motion.observe(picture(noise, seed=n), n / 10)
    walk = [motion.observe(picture(noise, 400 + 10 * n, 10 + n), (10 + n) / 10) for n in range(10)]
    assert min(walk) >= AREA


def test_one_that_stops_is_still_after_a_few_seconds() -> None:
    motion = PictureMotion(8.0)
    motion.observe(picture(), 0.0)
    shares = [motion.observe(picture(person=400), 1 + n / 10) for n in range(60)]
    assert shares[0] >= AREA
    assert shares[-1] == 0.0


def test_light_that_is_switched_and_a_camera_that_is_pushed_change_the_whole_picture_once() -> None:
    motion = PictureMotion(8.0)
    motion.observe(picture(), 0.0)
    darker = (picture() * 0.5).astype(np.uint8)
    assert motion.observe(darker, 0.1) >= WHOLE_PICTURE
    assert motion.observe(darker, 0.2) == 0.0
    stripes = np.kron(np.indices((8, 16)).sum(0) % 2 * 200, np.ones((90, 80)))[..., None].repeat(3, 2)
    striped = stripes.astype(np.uint8)
    motion.observe(striped, 0.3)
    assert motion.observe(np.roll(striped, 80, axis=1), 0.4) >= WHOLE_PICTURE


def test_what_moves_in_a_mask_does_not_count() -> None:
    motion = PictureMotion(8.0, [[(0.25, 0.35), (0.6, 0.35), (0.6, 0.55), (0.25, 0.55)]])
    motion.observe(picture(), 0.0)
    assert motion.observe(picture(person=500), 0.1) == 0.0
    assert motion.observe(picture(person=1000), 0.2) >= AREA
    everything = PictureMotion(8.0, [[(0, 0), (1, 0), (1, 1), (0, 1)]])
    everything.observe(picture(), 0.0)
    assert everything.observe(picture(person=500), 0.1) == 0.0


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (121, 97), (480, 640), (1080, 1920), (1920, 1080)])
def test_pictures_of_any_size(shape: tuple[int, int]) -> None:
    motion = PictureMotion(8.0)
    image = np.full((*shape, 3), 90, np.uint8)
    assert motion.observe(image, 0.0) == 1.0
    assert motion.observe(image, 0.1) == 0.0
    assert motion.observe(np.full((10, 10, 3), 90, np.uint8), 0.2) == 1.0


def test_a_picture_allocates_nothing_that_grows_with_it() -> None:
    motion, image = PictureMotion(8.0), np.full((1080, 1920, 3), 90, np.uint8)
    for n in range(3):
        motion.observe(image, n / 10)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        motion.observe(image, 0.4)
        assert tracemalloc.get_traced_memory()[1] - before < 8_000
    finally:
        tracemalloc.stop()


def test_a_clock_that_is_set_back_is_no_mistake() -> None:
    motion = PictureMotion(8.0)
    motion.observe(picture(), 100.0)
    assert motion.observe(picture(), 3.0) == 0.0
