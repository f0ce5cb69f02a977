"""Message from the broker: whose it is, when it was made, and by which clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from pydantic_core import from_json

from edgeagent.fleet.ingest.fields import (
    LARGEST_COUNT,
    UnreadableError,
    count,
    maybe_word,
    moment,
)

LARGEST_PAYLOAD = 256 * 1024
"""Bytes of a message at most; the largest ones of devices, with all stages of 64 cameras, are smaller."""
EARLIEST = datetime(2020, 1, 1, tzinfo=timezone.utc)
AHEAD = timedelta(days=1)
"""A clock before EARLIEST, or AHEAD of that of the ingest, is wrong."""
OLDEST, NEWEST = datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(2299, 12, 31, tzinfo=timezone.utc)
"""Range of the times of the store: later and earlier ones are cut to it."""
_DEVICE = re.compile(r"[^\x00-\x1f\x7f/+#]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class FleetMessage:
    """Message as it came from the broker.

    Attributes:
        tenant: prefix before the topic of the contract; empty without tenants.
        topic: whole topic.
        device: name of the device in the topic.
        stream: first level of the topic below the device.
        parameter: further levels, such as the camera; empty without any.
        payload: as sent.
        qos, retained: as the broker says.
        stored: time of arrival.
    """

    tenant: str
    topic: str
    device: str
    stream: str
    parameter: str
    payload: bytes
    qos: int
    retained: bool
    stored: datetime

    def fields(self) -> Mapping[str, Any]:
        """Return the object of the payload.

        Raises:
            UnreadableError: too large, no JSON, no object, or it names another device than the topic.
        """
        if len(self.payload) > LARGEST_PAYLOAD:
            raise UnreadableError(
                "size", f"{len(self.payload)} bytes, more than {LARGEST_PAYLOAD}; only its beginning is kept"
            )
        try:
            found = from_json(self.payload, allow_inf_nan=False)
        except ValueError as error:
            raise UnreadableError("json", f"no JSON ({error})") from None
        if not isinstance(found, dict):
            raise UnreadableError("json", f"JSON of type {type(found).__name__}, expected an object")
        named = found.get("device")
        if named is not None and named != self.device:
            raise UnreadableError(
                "device", f"the payload names device {str(named)[:128]!r}, the topic {self.device!r}"
            )
        return found


def split_topic(topic: str, root: str) -> tuple[str, str, str, str]:
    """Return tenant, device, stream and parameter of a topic.

    Args:
        topic: whole topic.
        root: root of the contract, ``edgeagent/v1``; what precedes it is the tenant.

    Raises:
        UnreadableError: it is not of the contract.
    """
    before, found, rest = topic.partition(f"{root}/")
    tenant = before.rstrip("/")
    device, _, stream = rest.partition("/")
    name, _, parameter = stream.partition("/")
    if not found or (before and not before.endswith("/")) or not name:
        raise UnreadableError("topic", f"no topic of {root}")
    if _DEVICE.match(device) is None:
        raise UnreadableError(
            "device", "the name of the device in the topic is empty, too long or not printable"
        )
    return tenant, device, name, parameter


def message_columns(message: FleetMessage, fields: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the columns of all tables of messages (:data:`edgeagent.fleet.store.columns.MESSAGE`).

    Args:
        message: of which they are.
        fields: its object; None for a message without one, which has no time.
    """
    stored = message.stored
    columns: dict[str, Any] = {
        "tenant": message.tenant,
        "device": message.device,
        "stored": stored,
        "run": -1,
        "sequence": 0,
        "device_time": stored,
        "time": stored,
        "clock": "absent",
        "historical": False,
        "retained": message.retained,
        "boot_id": "",
    }
    if fields is None:
        return columns
    made = moment(fields)
    columns["device_time"] = min(max(made, OLDEST), NEWEST)
    if made < EARLIEST:
        columns["clock"] = "past"
    elif made > stored + AHEAD:
        columns["clock"] = "future"
    else:
        columns["clock"], columns["time"] = "ok", made
    if fields.get("sequence") is not None:
        columns["sequence"] = count(fields, "sequence")
    run = fields.get("run")
    if run is not None:
        if type(run) is not int or not 0 <= run <= LARGEST_COUNT:
            raise UnreadableError("field", "run is no integer from 0")
        columns["run"] = run
    columns["historical"] = fields.get("historical") is True
    columns["boot_id"] = maybe_word(fields, "boot_id") or ""
    return columns
