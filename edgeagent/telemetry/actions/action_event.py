"""Event that actions get, as JSON: body of a webhook, input of a program, payload of a message."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from edgeagent.settings.sections.actions import Trigger


class DeliveredEvent(BaseModel):
    """Base of what a webhook delivers; what is None is left out.

    Attributes:
        id: of the event, unique; the same in each attempt to deliver it.
        time: UTC, ISO 8601.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    time: str

    def payload(self) -> bytes:
        """Return the JSON in UTF-8, without fields that are None."""
        return self.model_dump_json(exclude_none=True).encode()


class ActionEvent(DeliveredEvent):
    """Event of a zone, line or object (docs/actions.md); what does not apply is absent.

    Attributes:
        device, camera: names.
        event: kind.
        zone, line: names.
        label: of the object.
        object: id of the object, as in ``objects/<camera>``.
        seconds: in the zone, or of the life of the object.
        score: of the best sighting, 0..1.
        snapshot, clip: names of stored files.
    """

    device: str
    camera: str
    event: Trigger
    zone: str | None = None
    line: str | None = None
    label: str | None = None
    object: str | None = None
    seconds: float | None = None
    score: float | None = None
    snapshot: str | None = None
    clip: str | None = None
