"""A frame, as the camera side hands it to the detector side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of one camera.

    Attributes:
        image: (height, width, 3) uint8, BGR. It is a buffer of the slot: valid until the consumer hands
            the frame back with ``FrameSlot.release(frame)``, and overwritten after that. A consumer may
            hold several frames at once, fewer than the slot has buffers.
        sequence: number of the frame since the camera was started, counting dropped ones.
        captured_ns: ``time.monotonic_ns()`` at which the frame was complete in memory; of a file, at
            which it was due (pace ``clock``) or its turn came (``unthrottled``).
        captured_utc: seconds since the epoch at the same moment; for time stamps only.
    """

    image: Image
    sequence: int
    captured_ns: int
    captured_utc: float
