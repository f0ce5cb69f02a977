"""Live pictures: each encoded once for all viewers; nothing is done while nobody watches.

::

    frame path: camera watched, rate allows, encoder idle -> copy of the frame
    thread: privacy regions hidden, scaled down, JPEG -> viewers

The frame path never waits. Boxes and tracks are not drawn here: they go with their picture as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from queue import SimpleQueue
from typing import Any

import cv2
import numpy as np

from edgeagent.detection.frame_result import Result
from edgeagent.imaging.frame import Image
from edgeagent.imaging.polygon import Point
from edgeagent.imaging.privacy import hide_regions
from edgeagent.settings.sections.web import WebSettings
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.rate_limit import RateLimit
from edgeagent.timing.repeat_limit import RepeatLimit
from edgeagent.timing.utc import utc_time
from edgeagent.track.tracked_frame import TrackedFrame
from edgeagent.vision.detections import Detections
from edgeagent.vision.draw import tint
from edgeagent.web.viewers import EncodedPicture, Watched

logger = logging.getLogger(__name__)

MOST_OBJECTS = 100
"""Objects that go with a picture at most."""
STOP_S = 0.5
NICENESS = 5  # of the thread: detection goes first
DIGITS = 4  # of shares of the picture


@dataclass(frozen=True, slots=True)
class SceneSight:
    """What the scene of a camera has of a frame.

    Attributes:
        tracked: frame with its tracks.
        occupied: names of the zones that are occupied.
    """

    tracked: TrackedFrame
    occupied: tuple[str, ...]


PrivateRegions = Mapping[str, Sequence[Sequence[Point]]]
"""Privacy regions of each camera, as corners in shares of the picture."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Copy of a frame that is to be encoded."""

    camera: str
    image: Image
    about: dict[str, Any]
    detections: Detections


class LivePictures:
    """Encoder of live pictures.

    Args:
        settings: rate, size and quality.
        private: privacy regions of all cameras.
        watched: cameras that somebody watches.
        deliver: called with each picture, in the thread.
    """

    def __init__(
        self,
        settings: WebSettings,
        private: PrivateRegions,
        watched: Watched,
        deliver: Callable[[EncodedPicture], None],
    ) -> None:
        self._settings, self._private = settings, private
        self._watched, self._deliver = watched, deliver
        self._limits = {camera: RateLimit(settings.rate) for camera in private}
        self._jobs: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._busy: set[str] = set()
        self._lock = threading.Lock()
        self._numbers, self._repeats = count(1), RepeatLimit()
        self._thread = GuardedThread(self._run, "page pictures")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Stop the thread after the picture that is being encoded."""
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def follow(self, private: PrivateRegions) -> None:
        """Take the cameras of changed settings, with their privacy regions; between two frames."""
        self._private = private
        self._limits = {name: self._limits.get(name) or RateLimit(self._settings.rate) for name in private}

    def offer(self, result: Result, sight: SceneSight | None, now_ns: int) -> None:
        """Copy a frame if a picture of its camera is wanted now; never waits.

        Args:
            result: of the frame, whose image is valid during the call.
            sight: of the same frame; None without a tracker.
            now_ns: monotonic time in ns.
        """
        camera = result.camera
        if camera not in self._watched or camera in self._busy or not self._limits[camera].allows(now_ns):
            return
        about = describe_picture(result, sight, now_ns)
        with self._lock:
            self._busy.add(camera)
        self._jobs.put(_Waiting(camera, result.frame.image.copy(), about, result.detections))

    def _run(self) -> None:
        self._yield_to_detection()
        while (waiting := self._jobs.get()) is not None:
            try:
                jpeg = self._encode(waiting)
            finally:
                with self._lock:
                    self._busy.discard(waiting.camera)
            about = waiting.about if jpeg else {**waiting.about, "error": "the picture cannot be encoded"}
            text = json.dumps(about, separators=(",", ":")).encode()
            self._deliver(EncodedPicture(waiting.camera, next(self._numbers), text, jpeg))

    def _yield_to_detection(self) -> None:
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        except OSError as error:  # a sandbox may forbid it
            logger.debug("the priority of the page's pictures stays: %s", error)

    def _encode(self, waiting: _Waiting) -> bytes:
        """Return the JPEG; empty bytes where it cannot be encoded."""
        image = waiting.image
        try:
            tint(image, waiting.detections)
            hide_regions(image, self._private.get(waiting.camera, ()))
            share = self._settings.longest_side / max(image.shape[:2])
            if share < 1:
                size = (max(1, round(image.shape[1] * share)), max(1, round(image.shape[0] * share)))
                image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
            done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, self._settings.quality])
        except cv2.error as error:
            done, jpeg, reason = False, np.empty(0, np.uint8), str(error)
        else:
            reason = "no reason given"
        if not done:
            if self._repeats.allows(waiting.camera, time.monotonic()):
                logger.error(
                    "live page: a picture of camera %s cannot be encoded: %s", waiting.camera, reason
                )
            return b""
        return jpeg.tobytes()


def describe_picture(result: Result, sight: SceneSight | None, now_ns: int) -> dict[str, Any]:
    """Return what goes with a picture: time, size, latency in ms, occupied zones, and its objects.

    Of a classifier, ``classification`` is the class of the picture with ``label`` and ``score``; of a
    segmenter, ``shares`` are the shares of its pixels by label, and the picture is tinted, as are the masks
    of objects. Each object has
    ``box`` (x1, y1, x2, y2 in shares of the picture), ``label``, ``score``, and with a tracker ``track``.

    Args:
        result: of the frame.
        sight: of the same frame; None without a tracker.
        now_ns: monotonic time in ns.
    """
    frame, (height, width) = result.frame, result.frame.image.shape[:2]
    objects: list[dict[str, Any]] = []
    if sight is not None:
        tracks = sight.tracked.tracks
        rows = zip(
            tracks.boxes.tolist(), tracks.scores.tolist(), tracks.names(), tracks.ids.tolist(), strict=True
        )
        for box, score, label, track in rows:
            objects.append(_described(box, width, height, label, score) | {"track": track})
    else:
        for one in result.detections:
            objects.append(_described(list(one.box), width, height, one.label, one.score))
    return {
        "camera": result.camera,
        "sequence": frame.sequence,
        "time": utc_time(frame.captured_utc),
        "width": width,
        "height": height,
        "latency_ms": round((now_ns - frame.captured_ns) / 1e6, 1),
        "occupied": list(sight.occupied) if sight is not None else [],
        **_class_of_picture(result),
        "objects": objects[:MOST_OBJECTS],
        "left_out": max(0, len(objects) - MOST_OBJECTS),
    }


def _class_of_picture(result: Result) -> dict[str, Any]:
    found, pixels = result.detections.classification, result.detections.class_map
    if pixels is not None:
        return {"shares": {label: round(share, DIGITS) for label, share in pixels.shares().items()}}
    if found is None:
        return {}
    return {"classification": {"label": found.label, "score": round(found.score, 2)}}


def _described(box: list[float], width: int, height: int, label: str, score: float) -> dict[str, Any]:
    x1, y1, x2, y2 = box
    shares = [x1 / width, y1 / height, x2 / width, y2 / height]
    return {
        "box": [round(min(1.0, max(0.0, value)), DIGITS) for value in shares],
        "label": label,
        "score": round(score, 2),
    }
