"""Payloads of ``<prefix>/reviews``: a time in which objects of one camera move.

::

    none --an object moves--> new --objects, zones, severity--> update --none moves any more--> end

Format: docs.frigate.video, "MQTT", ``frigate/reviews``. As with Frigate's defaults, people and cars are an
alert, other objects a detection.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from edgeagent.events.object_life import ObjectEvent
from edgeagent.telemetry.frigate.tracked_objects import frigate_id

ALERTS = ("person", "car")
"""Labels of an alert: Frigate's default of ``review.alerts.labels``."""


class CameraReviews:
    """Reviews of one camera, one at a time."""

    def __init__(self) -> None:
        self._moving: set[str] = set()
        self._review: dict[str, Any] | None = None

    def message(self, event: ObjectEvent, picture: str | None, may_begin: bool) -> dict[str, Any] | None:
        """Observe an event of an object; return the message that follows, None without a change.

        Args:
            event: in the life of an object.
            picture: name of its stored picture; None without one.
            may_begin: whether a review may begin.
        """
        moves = event.what != "end" and not event.still
        (self._moving.add if moves else self._moving.discard)(event.id)
        before = self._review
        if before is None:
            if not moves or not may_begin:
                return None
            self._review = _joined(_empty(event), event, picture)
            return {"type": "new", "before": self._review, "after": self._review}
        after = before
        if moves or frigate_id(event.began_utc_s, event.track) in before["data"]["detections"]:
            after = _joined(before, event, picture)
        if not self._moving:
            self._review = None
            return {"type": "end", "before": before, "after": {**after, "end_time": event.now.utc_s}}
        self._review = after
        return {"type": "update", "before": before, "after": after} if after != before else None


def _empty(event: ObjectEvent) -> dict[str, Any]:
    return {
        "id": frigate_id(event.now.utc_s, event.track),
        "camera": event.camera,
        "start_time": event.now.utc_s,
        "end_time": None,
        "severity": "detection",
        "thumb_path": "",
        "data": {"detections": [], "objects": [], "sub_labels": [], "zones": [], "audio": []},
    }


def _joined(review: dict[str, Any], event: ObjectEvent, picture: str | None) -> dict[str, Any]:
    """Return a review with an object in it."""
    joined = deepcopy(review)
    if event.now.label in ALERTS:
        joined["severity"] = "alert"
    joined["thumb_path"] = joined["thumb_path"] or picture or ""
    found = {
        "detections": (frigate_id(event.began_utc_s, event.track),),
        "objects": (event.now.label,),
        "zones": event.entered,
    }
    for name, values in found.items():
        joined["data"][name] += [value for value in values if value not in joined["data"][name]]
    return joined
