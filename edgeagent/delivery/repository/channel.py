"""Index of a channel: the models it offers, their boards, and their rollouts.

The index is the target ``<channel>/channel.json`` of the repository, so that signed targets metadata
hold its length and hash; a device reads it with ``Client.refresh``.
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
    """Base of the parts of the index; unknown fields, of newer versions, are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Window(Signed):
    """Time of day in which an update may begin to serve, in the device's local time.

    Attributes:
        begin, end: ``HH:MM``; an end before the beginning is on the next day.
    """

    begin: TimeOfDay
    end: TimeOfDay


class Rollout(Signed):
    """Rollout policy of a release: which devices take it, and when.

    Attributes:
        id: of this rollout; hashed with the device's id, it decides which devices are the first ``percent``.
        percent: share of the devices, 0..100.
        start: earliest time; None is at once.
        cohorts: labels of which a device must have one; empty for all devices.
        window: time of day in which it may begin to serve; None is any.
        least_battery_percent: charge that a device on battery needs; None needs none.
        mains_only: whether the device must be on external power.
        paused: whether no device may begin; a deployment that has begun goes on.
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
        sequence: position in the channel; a device moves to a lower one only when it is told to.
        boards: names of which the board must have one; ``any`` is every board.
        manifest_sha256: hash of its manifest; with name and version its identity.
        files: size in bytes of each file, by name in the bundle, manifest included.
        rollout: its policy.
        withdrawn: reason why no device should run it any more; None while it is valid.
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
        """Name of its slot on a device; different content has a different name."""
        return f"{self.name}-{self.version}-{self.manifest_sha256[:12]}"

    def target(self, channel: str, file: str) -> str:
        """Return the target path of one of its files in the repository."""
        return f"{channel}/{self.name}/{self.version}/{file}"


class Channel(Signed):
    """Index of a channel: all releases, by ascending sequence."""

    schema_version: Literal[1] = 1
    channel: Label
    releases: tuple[Release, ...] = ()


def parse_channel(content: bytes, source: str) -> Channel:
    """Parse the index of a channel.

    Args:
        content: of a verified file, JSON.
        source: name of the file, for messages.

    Raises:
        DeliveryError: it does not fit the schema, most likely because it was made for a newer edgeagent.
    """
    try:
        return Channel.model_validate_json(content)
    except ValidationError as error:
        raise DeliveryError(f"{source}: {first_mistake(error)}; it may need a newer edgeagent") from None
