"""The index of a channel: which models it offers, to which boards, and by which rollout.

It is the target ``<channel>/channel.json`` of the repository, so its length and hash are in signed targets
metadata like those of every file; a device reads it with ``Client.refresh``.
The files of a release are the targets ``<channel>/<name>/<version>/<file>``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, ValidationError

from edgeagent.bundle.manifest import FileName, Name, Sha256, Version
from edgeagent.errors import DeliveryError
from edgeagent.files.validation import first_mistake
from edgeagent.settings.sections.delivery import Label

INDEX = "channel.json"
MANIFEST = "manifest.yaml"
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Signed(BaseModel):
    """Base of what stands in the index: fields of newer versions are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Window(Signed):
    """Part of every day in which an update may begin to serve, in the device's local time.

    Attributes:
        begin, end: ``HH:MM``; an end before the beginning is on the next day.
    """

    begin: TimeOfDay
    end: TimeOfDay


class Rollout(Signed):
    """Which devices take a release, and when.

    Attributes:
        id: of this rollout; with the device's id it decides who is among the first ``percent``.
        percent: share of the devices, 0..100.
        start: not before this time; None at once.
        cohorts: labels of which a device must have one; empty for all.
        window: part of the day in which it may begin to serve.
        least_battery_percent: charge that a device on battery needs; None does not ask.
        mains_only: only on external power.
        paused: nobody begins; who has begun goes on.
    """

    id: Label
    percent: Annotated[float, Field(ge=0, le=100)] = 100.0
    start: datetime | None = None
    cohorts: tuple[Label, ...] = ()
    window: Window | None = None
    least_battery_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    mains_only: bool = False
    paused: bool = False


class Release(Signed):
    """One version of a model.

    Attributes:
        name, version: of its bundle.
        sequence: position in the channel; a device never goes to a lower one unless it is told to.
        boards: names of which a board must answer to one; ``any`` is all.
        manifest_sha256: of its manifest; together with name and version its identity.
        files: bytes of each file, by name in the bundle, the manifest among them.
        rollout: who takes it, and when.
        withdrawn: why nobody should run it any more; None while it stands.
    """

    name: Name
    version: Version
    sequence: PositiveInt
    boards: Annotated[tuple[Label, ...], Field(min_length=1)]
    manifest_sha256: Sha256
    files: dict[FileName, PositiveInt]
    rollout: Rollout
    withdrawn: str | None = None

    @property
    def slot(self) -> str:
        """Name of the slot that holds it: another content never has the same."""
        return f"{self.name}-{self.version}-{self.manifest_sha256[:12]}"

    def target(self, channel: str, file: str) -> str:
        """Return the target path of one of its files."""
        return f"{channel}/{self.name}/{self.version}/{file}"


class Channel(Signed):
    """All releases of a channel, in the order of their sequence."""

    schema_version: Literal[1] = 1
    channel: Label
    releases: tuple[Release, ...] = ()


def parse_channel(content: bytes, source: str) -> Channel:
    """Return the index that a verified file holds.

    Raises:
        DeliveryError: it does not fit the schema, most likely because it was made for a newer edgeagent.
    """
    try:
        return Channel.model_validate_json(content)
    except ValidationError as error:
        raise DeliveryError(f"{source}: {first_mistake(error)}; it may need a newer edgeagent") from None
