"""Messages that were received and wait to be stored, and then to be acknowledged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from edgeagent.fleet.ingest.arrival import FleetMessage
from edgeagent.fleet.ingest.fields import UnreadableError

KEPT_PAYLOAD = 4096
"""Bytes of the payload that a dead letter keeps."""
DEAD_LETTERS = "dead_letters"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What the broker waits for.

    Attributes:
        connection: number of the connection over which the message came; on another one its ID means nothing.
        mid: packet identifier.
    """

    connection: int
    mid: int


@dataclass
class MessageBatch:
    """Rows by table, with the acknowledgements of their messages.

    Attributes:
        opened: monotonic time of the first message, in seconds.
        messages: number of messages.
        rows: by table.
        acknowledgements: of the messages with QoS 1.
    """

    opened: float
    messages: int = 0
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    acknowledgements: list[Acknowledgement] = field(default_factory=list)

    def add(self, table: str, row: dict[str, Any]) -> None:
        """Add a row."""
        self.rows.setdefault(table, []).append(row)


def dead_letter(message: FleetMessage, error: UnreadableError) -> dict[str, Any]:
    """Return the row of a message that cannot be stored.

    The same message has the same row whenever it comes again.
    """
    return {
        "tenant": message.tenant,
        "topic": message.topic[:1024],
        "reason": error.reason,
        "digest": hashlib.sha256(message.payload).hexdigest()[:32],
        "text": error.text[:1024],
        "payload": message.payload[:KEPT_PAYLOAD].decode("utf-8", errors="replace"),
        "payload_bytes": len(message.payload),
        "qos": message.qos,
        "retained": message.retained,
        "stored": message.stored,
    }


def refused_row(table: str, row: dict[str, Any], reason: str) -> dict[str, Any]:
    """Return the dead letter of a row that the store refuses."""
    text = repr(row)
    return {
        "tenant": row.get("tenant", ""),
        "topic": f"{row['device']}: {table}",
        "reason": "refused",
        "digest": hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32],
        "text": reason[:1024],
        "payload": text[:KEPT_PAYLOAD].encode("utf-8", errors="replace").decode(),
        "payload_bytes": len(text),
        "stored": row["stored"],
    }
