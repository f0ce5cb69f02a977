"""Options of the ingest, as its processes hand them to each other."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_serializer, model_validator

from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.telemetry.contract.messages import ROOT

SHARED = ("telemetry", "events/+", "objects/+", "reply")
"""Topics below a device whose messages the workers share."""
STATE = ("status", "info", "alarm", "deployment", "accuracy")
"""Retained topics: one connection of each ingest reads them all, in their order."""
BATCH, BATCH_S = 2000, 1.0
SESSION_S = 7 * 24 * 3600
"""Seconds that the broker keeps the messages of a worker that is not there."""


def default_name() -> str:
    """Return the name of this machine's ingest at the broker."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:40] or "ingest"


class IngestOptions(BaseModel):
    """Options of an ingest.

    Attributes:
        store: address of the store.
        password_file: password for a store on a server.
        broker: settings of the connection.
        name: prefix of the client IDs; the same at each start, different on each machine.
        group: name of the shared subscription.
        workers: number of processes that share the messages.
        batch: messages after which a batch is stored.
        batch_s: seconds after which a batch is stored that is not full.
        tenants: whether topics have one more level in front, the tenant.
        detections: whether the messages of single frames are stored.
    """

    model_config = ConfigDict(frozen=True)

    store: str
    password_file: Path | None = None
    broker: MqttSettings
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,40}$")] = Field(
        default_factory=default_name
    )
    group: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,40}$")] = "edgeagent"
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    batch: Annotated[int, Field(ge=1, le=20_000)] = BATCH
    batch_s: Annotated[float, Field(gt=0, le=60)] = BATCH_S
    tenants: bool = False
    detections: bool = False

    @property
    def shares(self) -> bool:
        """Whether workers share the messages; MQTT 3.1.1 has no shared subscriptions."""
        return self.broker.protocol == "5"

    @model_validator(mode="after")
    def _one_worker_without_sharing(self) -> IngestOptions:
        if not self.shares and self.workers > 1:
            raise ValueError("MQTT 3.1.1 has no shared subscriptions; use 1 worker, or a broker with MQTT 5")
        return self

    @field_serializer("broker")
    def _as_in_a_file(self, broker: MqttSettings) -> dict[str, Any]:
        """Return the keys that were given; the others have their defaults again."""
        return broker.model_dump(mode="json", exclude_unset=True, exclude_none=True)


class IngestPart(BaseModel):
    """Part of one process.

    Attributes:
        options: of the ingest.
        number: of the worker, from 1; 0 for the reader of retained topics.
    """

    model_config = ConfigDict(frozen=True)

    options: IngestOptions
    number: Annotated[int, Field(ge=0)]

    @property
    def kind(self) -> Literal["state", "shared"]:
        """Whether it reads retained topics alone, or shares the others."""
        return "shared" if self.number else "state"

    @property
    def client_id(self) -> str:
        """Client ID at the broker."""
        return f"edgeagent-fleet-{self.options.name}-{self.number or 'state'}"

    def filters(self) -> list[str]:
        """Return the topic filters of its subscriptions."""
        base = f"+/{ROOT}/+" if self.options.tenants else f"{ROOT}/+"
        if self.kind == "state":
            return [f"{base}/{topic}" for topic in STATE]
        topics = (*SHARED, "detections/+") if self.options.detections else SHARED
        shared = f"$share/{self.options.group}/" if self.options.shares else ""
        return [f"{shared}{base}/{topic}" for topic in topics]
