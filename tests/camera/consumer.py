"""Minimal consumer of one camera, and waiting for failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from edgeagent.camera.capture import Camera
from edgeagent.imaging.frame import Frame

WAIT_S = 20.0
"""Seconds after which a test gives up; none of them waits so long when all is well."""


def frames_of(camera: Camera) -> Iterator[Frame]:
    """Yield all frames until the camera ends; each is released when the next is requested."""
    while (frame := camera.slot.take(WAIT_S)) is not None:
        try:
            yield frame
        finally:
            camera.slot.release(frame)
    assert camera.slot.closed, f"no frame for {WAIT_S} s: {camera.status()}"


def wait_for_failures(camera: Camera, count: int) -> None:
    """Wait until the camera has failed ``count`` times in total."""
    deadline = time.monotonic() + WAIT_S
    never = threading.Event()
    while camera.status().failures < count:
        assert time.monotonic() < deadline, camera.status()
        never.wait(0.01)
