"""Frame with its tracks, as zones, lines and events see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from edgeagent.track.tracks import Tracks


@dataclass(frozen=True, slots=True)
class TrackedFrame:
    """Tracks of one frame.

    Attributes:
        tracks: that the frame shows.
        width, height: of the frame in pixels.
        time_s: time of the camera in seconds, monotonic.
        local: local time of the device.
    """

    tracks: Tracks
    width: int
    height: int
    time_s: float
    local: datetime
