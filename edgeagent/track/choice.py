"""Choice of a tracker by its name."""

from __future__ import annotations

from typing import Literal, get_args

from edgeagent.errors import ConfigurationError
from edgeagent.track.bytetrack import ByteTrack
from edgeagent.track.ocsort import OcSort
from edgeagent.track.tracker import Tracker, TrackerOptions

TrackerName = Literal["bytetrack", "ocsort"]


def create_tracker(name: TrackerName = "bytetrack", options: TrackerOptions | None = None) -> Tracker:
    """Create the tracker of one camera.

    Args:
        name: ``bytetrack`` (Zhang et al. 2022, arXiv:2110.06864) or ``ocsort`` (Cao et al. 2023,
            arXiv:2203.14360).
        options: None takes the defaults.

    Raises:
        ConfigurationError: there is no tracker of that name.
    """
    if name == "bytetrack":
        return ByteTrack(options or TrackerOptions())
    if name == "ocsort":
        return OcSort(options or TrackerOptions())
    raise ConfigurationError(f"tracker {name!r}: expected one of {', '.join(get_args(TrackerName))}")
