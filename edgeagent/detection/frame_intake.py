"""Intake of the pipeline: the next frame, of the camera whose turn it is, at most so many a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from edgeagent.camera.capture import Camera
from edgeagent.camera.fair_share import FairShare
from edgeagent.imaging.frame import Frame


@dataclass(frozen=True, slots=True)
class _Lineup:
    """Cameras with their shares, replaced as a whole."""

    cameras: tuple[Camera, ...] = ()
    shares: FairShare = FairShare(())  # noqa: RUF009  (of no camera)

    @classmethod
    def of(cls, cameras: Sequence[Camera]) -> _Lineup:
        return cls(tuple(cameras), FairShare([camera.settings.weight for camera in cameras]))


class FrameIntake:
    """Gives one frame after the other; one thread takes, any thread changes.

    Args:
        stopping: set when no frame is to be taken any more; :meth:`wake` wakes a thread that waits.

    Attributes:
        interval_s: least time between two frames that the detector runs for; 0 without a limit.
    """

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._lineup = _Lineup()
        self.interval_s, self._next_s = 0.0, 0.0
        self._frame_waits = threading.Event()

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """The cameras."""
        return self._lineup.cameras

    @property
    def ended(self) -> bool:
        """Whether all cameras have ended."""
        return all(camera.slot.closed for camera in self._lineup.cameras)

    @property
    def waiting(self) -> bool:
        """Whether a frame waits."""
        return any(camera.slot.waiting for camera in self._lineup.cameras)

    def line_up(self, cameras: Sequence[Camera]) -> None:
        """Take frames of these cameras from now on, by the weights of their settings."""
        self._lineup = _Lineup.of(cameras)
        self.wake()

    def limit_rate(self, rate: float | None) -> None:
        """Give at most ``rate`` frames per second, over all cameras, from now on; None lifts the limit."""
        self.interval_s = 1 / rate if rate else 0.0
        self.wake()

    def wake(self) -> None:
        """Look again whether there is a frame, or whether to stop."""
        self._frame_waits.set()

    def count(self) -> None:
        """Count a frame that the detector runs for, as those that it does not run for are not limited."""
        self._next_s = time.monotonic() + self.interval_s

    def next_frame(self) -> tuple[Camera, Frame] | None:
        """Wait for a frame of the camera whose turn it is; None when stopping or when all have ended."""
        while not self._stopping.is_set():
            self._frame_waits.clear()
            lineup, all_closed = self._lineup, self.ended
            early_s = self._next_s - time.monotonic() if self.interval_s else 0.0
            if early_s <= 0:
                for position in lineup.shares.order():
                    frame = lineup.cameras[position].slot.take(timeout=0)
                    if frame is not None:
                        lineup.shares.served(position)
                        return lineup.cameras[position], frame
                if all_closed:
                    return None
            self._frame_waits.wait(early_s if early_s > 0 else None)
        return None
