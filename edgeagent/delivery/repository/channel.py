"""Index of a channel: the models and configurations it offers, their boards, and their rollouts.

The index is the target ``<channel>/channel.json`` of the repository, so that signed targets metadata
hold its length and hash; a device reads it with ``Client.refresh``.
The files of a release are the targets ``<channel>/<name>/<version>/<file>``.
"""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt, ValidationError

from edgeagent.bundle.section import FileName, Name, Sha256
from edgeagent.delivery.repository.agent_entry import AgentRelease
from edgeagent.delivery.repository.channel_entry import ChannelEntry, Signed
from edgeagent.delivery.repository.configuration_entry import Configuration
from edgeagent.errors import DeliveryError
from edgeagent.files.validation import first_mistake
from edgeagent.settings.sections.delivery import Label

INDEX = "channel.json"
MANIFEST = "manifest.yaml"


class Release(ChannelEntry):
    """One version of a model.

    Attributes:
        name: of its bundle.
        manifest_sha256: hash of its manifest; with name and version its identity.
        files: size in bytes of each file, by name in the bundle, manifest included.
    """

    name: Name
    manifest_sha256: Sha256
    files: dict[FileName, PositiveInt]

    @property
    def slot(self) -> str:
        """Name of its slot on a device; different content has a different name."""
        return f"{self.name}-{self.version}-{self.manifest_sha256[:12]}"

    def target(self, channel: str, file: str) -> str:
        """Return the target path of one of its files in the repository."""
        return f"{channel}/{self.name}/{self.version}/{file}"


class Channel(Signed):
    """Index of a channel: all releases, configurations and versions of the agent, by ascending sequence.

    Attributes:
        channel: its name.
        releases: of models.
        configurations: signed configurations.
        agents: releases of the agent itself.
    """

    schema_version: Literal[1] = 1
    channel: Label
    releases: tuple[Release, ...] = ()
    agents: tuple[AgentRelease, ...] = ()
    configurations: tuple[Configuration, ...] = ()


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
