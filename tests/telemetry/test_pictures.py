"""Pictures with detections: drawn elsewhere, rarely, and of the frame they were ordered for."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Any

import cv2
import numpy as np
import pytest

from edgeagent.detection.frame_result import Result
from edgeagent.imaging.frame import Frame
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.zones import MaskSettings
from edgeagent.telemetry.pictures import LONGEST_SIDE, Pictures, encode_jpeg
from edgeagent.vision.detections import Detections
from tests.broker import PATIENCE

SECOND = 1_000_000_000


class Described:
    """What a picture needs of a detector."""

    class description:  # noqa: N801
        labels = ("person",)


def result(camera: str, shade: int) -> Result:
    image = np.full((48, 64, 3), shade, np.uint8)
    found = Detections(
        boxes=np.array([[8.0, 30.0, 40.0, 44.0]], np.float32),
        scores=np.array([0.9], np.float32),
        classes=np.array([0], np.int64),
    )
    return Result(camera, Frame(image, 1, 0, 0.0), found, Described(), 0)  # type: ignore[arg-type]


def cameras(*names: str, **more: Any) -> list[CameraSettings]:
    return [CameraSettings(name=name, source="0", **more) for name in names]


def test_privacy_regions_are_hidden() -> None:
    published: SimpleQueue[bytes] = SimpleQueue()
    corners = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5))
    masks = (MaskSettings(polygon=corners, kind="privacy"),)
    pictures = Pictures(cameras("yard", masks=masks), 10.0, lambda topic, jpeg: published.put(jpeg))
    noisy = result("yard", 0)
    noisy.frame.image[:] = np.random.default_rng(0).integers(0, 256, noisy.frame.image.shape)
    pictures.offer(noisy, 0)
    pictures.start()
    jpeg = published.get(timeout=PATIENCE)
    pictures.stop()
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert shown is not None
    assert shown[:20, :28].std() < shown[:20, 36:].std() / 2


def test_a_picture_is_drawn_from_a_copy_and_one_of_each_camera_an_interval() -> None:
    published: SimpleQueue[tuple[str, bytes]] = SimpleQueue()
    pictures = Pictures(cameras("yard", "gate"), 10.0, lambda topic, jpeg: published.put((topic, jpeg)))
    first = result("yard", 200)
    pictures.offer(first, 0)
    first.frame.image[:] = 0  # the buffer is used again
    pictures.offer(result("yard", 100), 9 * SECOND)
    pictures.offer(result("gate", 100), 9 * SECOND)
    pictures.start()
    topic, jpeg = published.get(timeout=PATIENCE)
    other, _ = published.get(timeout=PATIENCE)
    pictures.offer(result("yard", 100), 10 * SECOND)
    again, _ = published.get(timeout=PATIENCE)
    pictures.stop()
    assert published.empty()
    assert (topic, other, again) == ("picture/yard", "picture/gate", "picture/yard")
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (48, 64, 3)
    assert abs(int(shown[2, 60, 0]) - 200) < 8  # the frame, not what came after it
    assert np.ptp(shown.astype(int)) > 40  # something is drawn


def test_pictures_that_nobody_draws_are_left_out() -> None:
    pictures = Pictures(cameras("yard"), 0.001, lambda topic, jpeg: None)
    for second in range(10):  # never started, so nothing is taken
        pictures.offer(result("yard", 1), second * SECOND)
    pictures.start()
    pictures.stop()


@pytest.mark.parametrize(("shape", "expected"), [((100, 200), (100, 200)), ((1080, 2560), (540, 1280))])
def test_a_large_picture_is_made_smaller(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    assert LONGEST_SIDE == 1280
    shown = cv2.imdecode(
        np.frombuffer(encode_jpeg(np.zeros((*shape, 3), np.uint8)), np.uint8), cv2.IMREAD_COLOR
    )
    assert shown is not None
    assert shown.shape[:2] == expected
