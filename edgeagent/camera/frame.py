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
        image: (height, width, 3) uint8, BGR. It belongs to the slot and is valid until the consumer
            takes its next frame.
        sequence: number of the frame since the camera was opened, counting dropped ones.
        captured_ns: ``time.monotonic_ns()`` at which the frame was complete in memory.
        captured_utc: seconds since the epoch at the same moment; for time stamps only.
    """

    image: Image
    sequence: int
    captured_ns: int
    captured_utc: float
