"""Frame: one picture of one camera on its way from capture to detection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""(height, width, 3) uint8, BGR."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of one camera.

    Attributes:
        image: (height, width, 3) uint8, BGR. It is a buffer of the slot: valid until the consumer returns it
            with ``FrameSlot.release(frame)``, and overwritten afterwards. A consumer may hold several frames
            at once, fewer than the slot has buffers.
        sequence: number of the frame since the camera was started, including dropped frames.
        captured_ns: ``time.monotonic_ns()`` at which the frame was complete in memory; for a file, at which
            it was due (pace ``clock``) or read (``unthrottled``).
        captured_utc: seconds since the epoch at the same time; for time stamps only.
    """

    image: Image
    sequence: int
    captured_ns: int
    captured_utc: float
