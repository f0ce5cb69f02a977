"""Payloads of ``<prefix>/events``: one object, before and after each of its messages.

Format: docs.frigate.video, "MQTT", ``frigate/events``. Boxes are in pixels of the frame. Fields without a
counterpart have the value of a Frigate without the feature: no sub labels, attributes, clips or thumbnails.
"""

from __future__ import annotations

from typing import Any

from edgeagent.events.object_life import Box, ObjectEvent

ObjectFields = dict[str, Any]
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
CODE_LENGTH = 6
KMH = 3.6
"""Kilometres per hour in a metre per second."""


def frigate_id(utc_s: float, track: int) -> str:
    """Return an identity in Frigate's form: UTC seconds, and six letters or digits of the track."""
    code = ""
    while track:
        track, digit = divmod(track, len(DIGITS))
        code = DIGITS[digit] + code
    return f"{utc_s:.6f}-{code[-CODE_LENGTH:].rjust(CODE_LENGTH, '0')}"


class FrigateObject:
    """Object from its first to its last message; Frigate tells the fields before each message, too."""

    def __init__(self) -> None:
        self._before: ObjectFields | None = None
        self._top_score = 0.0
        self._motionless = self._moves = 0

    def message(self, event: ObjectEvent, size: tuple[int, int], has_snapshot: bool) -> dict[str, Any]:
        """Return the message of an event.

        Args:
            event: in the life of the object.
            size: width and height of the frame in pixels.
            has_snapshot: whether a picture of it is stored.
        """
        self._top_score = max(self._top_score, event.now.score, event.best.score)
        self._motionless = self._motionless + 1 if event.still else 0
        self._moves += event.reason == "moved"
        after = self._fields(event, size, has_snapshot)
        before = self._before or _unconfirmed(after)
        self._before = after
        return {"type": event.what, "before": before, "after": after}

    def _fields(self, event: ObjectEvent, size: tuple[int, int], has_snapshot: bool) -> ObjectFields:
        now, best = event.now, event.best
        region = [0, 0, *size]
        fields: ObjectFields = {
            "id": frigate_id(event.began_utc_s, event.track),
            "camera": event.camera,
            "frame_time": now.utc_s,
            "snapshot": {
                "frame_time": best.utc_s,
                **_shape(best.box, size),
                "region": region,
                "score": round(best.score, 4),
                "attributes": [],
            },
            "label": now.label,
            "sub_label": None,
            "top_score": round(self._top_score, 4),
            "false_positive": False,
            "start_time": event.began_utc_s,
            "end_time": now.utc_s if event.what == "end" else None,
            "score": round(now.score, 4),
            **_shape(now.box, size),
            "region": region,
            "active": not event.still,
            "stationary": event.still,
            "motionless_count": self._motionless,
            "position_changes": self._moves,
            "current_zones": list(now.zones),
            "entered_zones": list(event.entered),
            "has_clip": False,
            "has_snapshot": has_snapshot,
            "attributes": {},
            "current_attributes": [],
            "thumbnail": None,
        }
        if now.speed is not None:
            fields["current_estimated_speed"] = round(now.speed * KMH, 1)
        return fields


def _unconfirmed(after: ObjectFields) -> ObjectFields:
    """Return the fields before the first message: those of an object that is not confirmed yet."""
    nothing = {"top_score": 0.0, "false_positive": True, "has_snapshot": False}
    return {**after, **nothing, "current_zones": [], "entered_zones": []}


def _shape(box: Box, size: tuple[int, int]) -> dict[str, Any]:
    """Return box, area and ratio in pixels."""
    width, height = size
    x1, x2 = (min(width, max(0, round(value * width))) for value in box[::2])
    y1, y2 = (min(height, max(0, round(value * height))) for value in box[1::2])
    wide, high = x2 - x1, y2 - y1
    return {"box": [x1, y1, x2, y2], "area": wide * high, "ratio": round(wide / max(1, high), 2)}
