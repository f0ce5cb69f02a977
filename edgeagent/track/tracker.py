"""Tracker: the protocol and its options."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Protocol

from edgeagent.errors import ConfigurationError
from edgeagent.track.tracks import Tracks
from edgeagent.vision.detections import Detections


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """Options of a tracker.

    Attributes:
        high: score from which a detection is compared with all tracks, 0..1.
        low: score from which a detection continues a track that was seen in the frame before, 0..1. Detect
            with this threshold: the detections between ``low`` and ``high`` carry objects through blur and
            partial occlusion.
        new: score from which a detection starts a track, 0..1.
        keep_s: seconds for which a track is kept from the first frame in which it is missing.
        min_hits: frames in which an object is seen before it gets an id, 1 or more.

    Raises:
        ConfigurationError: a value is outside its range, or not ``low <= high <= new``.
    """

    high: float = 0.5
    low: float = 0.2
    new: float = 0.5
    keep_s: float = 2.0
    min_hits: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= self.new <= 1:
            raise ConfigurationError(
                f"tracker: expected 0 <= low <= high <= new <= 1, got low {self.low:g}, high {self.high:g}, "
                f"new {self.new:g}"
            )
        if not (isfinite(self.keep_s) and self.keep_s >= 0):
            raise ConfigurationError(f"tracker: expected keep_s of 0 seconds or more, got {self.keep_s:g}")
        if self.min_hits < 1:
            raise ConfigurationError(f"tracker: expected min_hits of 1 or more, got {self.min_hits}")


class Tracker(Protocol):
    """Follower of the objects of one camera.

    Attributes:
        has_new: whether a track that was seen in the latest frame has no id yet.
        has_missing: whether a track was not seen in the latest frame.
    """

    @property
    def has_new(self) -> bool: ...

    @property
    def has_missing(self) -> bool: ...

    def update(self, detections: Detections, time_s: float) -> Tracks:
        """Return the tracks of the next frame.

        Args:
            detections: of the frame, from score ``low`` on; any number, in any order. Those with a box that
                is not finite or a class without a label are left out.
            time_s: time of the frame in seconds on a monotonic clock of the camera. Intervals may vary and
                frames may be missing.

        Raises:
            DataError: the time is not finite, or a class number is impossible.
        """

    def change(self, options: TrackerOptions) -> None:
        """Take other options from the next frame on; tracks go on."""

    def reset(self) -> None:
        """End all tracks; their ids are in ``ended`` of the next result, and are not used again."""
