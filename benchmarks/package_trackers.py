"""Trackers of other packages behind one function: detections and time in, ids and boxes out.

``supervision`` had ByteTrack until 0.26; ``trackers`` (Roboflow) has ByteTrack and OC-SORT. Each comes with
its defaults, which are meant for float detectors, and with the thresholds of edgeagent's trackers; all keep
a track for two seconds. A package that is not installed is left out with a sentence.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeagent.track.choice import TrackerName, create_tracker
from edgeagent.track.tracker import TrackerOptions
from edgeagent.vision.detections import Detections

Followed = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]
Follow = Callable[[Detections, float], Followed]
"""From the detections of a frame and its time in seconds to ids (n,) and boxes (n, 4) of its tracks."""

OPTIONS = TrackerOptions()
BUFFER = round(OPTIONS.keep_s * 30)
"""Frames at 30 frames/s, in which the packages count."""


def own(name: TrackerName, options: TrackerOptions = OPTIONS) -> Follow:
    """Return a new tracker of edgeagent."""
    tracker = create_tracker(name, options)

    def follow(detections: Detections, time_s: float) -> Followed:
        tracks = tracker.update(detections, time_s)
        return tracks.ids, tracks.boxes

    return follow


def makers(fps: float) -> Iterator[tuple[str, Callable[[], Follow]]]:
    """Give the name of each tracker and a function that makes a new one for a frame rate."""
    yield "edgeagent bytetrack", lambda: own("bytetrack")
    yield "edgeagent ocsort", lambda: own("ocsort")
    yield from _of_trackers(fps)
    yield from _of_supervision(fps)


def _of_trackers(fps: float) -> Iterator[tuple[str, Callable[[], Follow]]]:
    try:
        from trackers import ByteTrackTracker, OCSORTTracker
    except ImportError:
        print("left out: trackers is not installed", file=sys.stderr)
        return
    base: dict[str, Any] = {"lost_track_buffer": BUFFER, "frame_rate": fps}
    high = {"high_conf_det_threshold": OPTIONS.high, "minimum_consecutive_frames": OPTIONS.min_hits}
    new = {"track_activation_threshold": OPTIONS.new}
    for name, kind, given in (
        ("bytetrack", ByteTrackTracker, {**high, **new}),
        ("ocsort", OCSORTTracker, high),
    ):
        yield f"trackers {name}", lambda kind=kind: _timed(kind(**base))
        yield f"trackers {name}, our thresholds", lambda kind=kind, given=given: _timed(kind(**base, **given))


def _of_supervision(fps: float) -> Iterator[tuple[str, Callable[[], Follow]]]:
    import supervision

    if not hasattr(supervision, "ByteTrack"):
        print("left out: supervision has no ByteTrack since 0.27", file=sys.stderr)
        return
    base = {"lost_track_buffer": BUFFER, "frame_rate": fps}
    given = {"track_activation_threshold": OPTIONS.high, "minimum_consecutive_frames": OPTIONS.min_hits}
    warnings.filterwarnings("ignore", module="supervision")
    yield "supervision bytetrack", lambda: _counted(supervision.ByteTrack(**base))
    yield "supervision bytetrack, our thresholds", lambda: _counted(supervision.ByteTrack(**base, **given))


def _timed(tracker: Any) -> Follow:
    def follow(detections: Detections, time_s: float) -> Followed:
        found = tracker.update(_usable(detections), timestamp=time_s)
        kept = found.tracker_id >= 0
        return found.tracker_id[kept], found.xyxy[kept].astype(np.float32)

    return follow


def _counted(tracker: Any) -> Follow:
    def follow(detections: Detections, time_s: float) -> Followed:
        found = tracker.update_with_detections(_usable(detections))
        return found.tracker_id, found.xyxy.astype(np.float32)

    return follow


def _usable(detections: Detections) -> Any:
    return detections.take(detections.scores >= OPTIONS.low).to_supervision()
