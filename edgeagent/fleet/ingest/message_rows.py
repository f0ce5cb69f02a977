"""Row of each message: its object by stream, in the columns of :mod:`edgeagent.fleet.store.messages`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from edgeagent.fleet.ingest import fields as f
from edgeagent.fleet.ingest.arrival import FleetMessage, message_columns
from edgeagent.fleet.ingest.state_rows import accuracy, alarm, deployment, info
from edgeagent.fleet.ingest.telemetry_rows import telemetry

Columns = dict[str, Any]
StoredRow = tuple[str, Columns]
"""Table, and row."""


def row_of(message: FleetMessage) -> StoredRow | None:
    """Return the table and the row of a message; None for a stream that the store does not keep.

    Raises:
        UnreadableError: the message is not as documented.
    """
    if message.stream == "status":
        return _status(message)
    found = _BY_STREAM.get(message.stream)
    if found is None:
        return None
    table, columns_of = found
    if not message.payload and message.retained:
        return None  # a retained message that was cleared
    fields = message.fields()
    return table, {**message_columns(message, fields), **columns_of(fields, message.parameter)}


def _status(message: FleetMessage) -> StoredRow | None:
    if not message.payload:
        return None
    try:
        status = message.payload.decode("ascii")
    except UnicodeDecodeError:
        status = ""
    if not 1 <= len(status) <= 32 or not status.isalpha():
        raise f.UnreadableError("field", "status is no word such as online")
    return "status", {**message_columns(message, None), "status": status}


def _event(fields: Mapping[str, Any], parameter: str) -> Columns:
    kind = f.word(fields, "kind")
    if kind != parameter:
        raise f.UnreadableError("field", f"kind is {kind!r}, the topic says {parameter!r}")
    data = f.section(fields, "data")
    return {
        "kind": kind,
        "text": f.text_field(fields, "text"),
        "data": {key[: f.LONGEST_WORD]: _data_text(value) for key, value in data.items()},
    }


def _data_text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text[: f.LONGEST_TEXT]


def _object(fields: Mapping[str, Any], parameter: str) -> Columns:
    best = f.section(fields, "best")
    return {
        "camera": parameter,
        "event": f.word(fields, "event"),
        "reason": f.maybe_word(fields, "reason"),
        "id": f.word(fields, "id"),
        "label": f.word(fields, "label"),
        "seconds": f.number_field(fields, "seconds"),
        "score": f.number_field(fields, "score"),
        "box": f.box(fields, "box"),
        "zones": f.words(fields, "zones"),
        "entered": f.words(fields, "entered"),
        "speed_mps": f.maybe_number(fields, "speed_mps"),
        "best_time": f.maybe_moment(best, "time"),
        "best_score": f.maybe_number(best, "score"),
        "snapshot": f.maybe_text(fields, "snapshot"),
        "clip": f.maybe_text(fields, "clip"),
    }


def _detections(fields: Mapping[str, Any], parameter: str) -> Columns:
    found = f.objects_of(fields, "detections")
    return {
        "camera": parameter,
        "reason": f.maybe_word(fields, "reason"),
        "width": f.count(fields, "width"),
        "height": f.count(fields, "height"),
        "latency_ms": f.number_field(fields, "latency_ms"),
        "labels": [f.word(each, "label") for each in found],
        "scores": [f.number_field(each, "score") for each in found],
        "boxes": [f.box(each, "box") for each in found],
    }


def _reply(fields: Mapping[str, Any], parameter: str) -> Columns:
    return {
        "request_id": f.maybe_word(fields, "request_id") or "",
        "ok": f.yes_or_no(fields, "ok"),
        "error": f.maybe_text(fields, "error"),
        "result": f.maybe_text(fields, "result"),
    }


_BY_STREAM: dict[str, tuple[str, Callable[[Mapping[str, Any], str], Columns]]] = {
    "telemetry": ("telemetry", telemetry),
    "events": ("events", _event),
    "objects": ("objects", _object),
    "detections": ("detections", _detections),
    "reply": ("replies", _reply),
    "info": ("info", info),
    "alarm": ("alarm_messages", alarm),
    "deployment": ("deployments", deployment),
    "accuracy": ("accuracy", accuracy),
}

STORED_STREAMS = ("status", *_BY_STREAM)
"""Streams that have a table."""
