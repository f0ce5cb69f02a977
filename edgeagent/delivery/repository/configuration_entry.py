"""Configuration of a channel: one version of the settings that a fleet shares.

Its file is the target ``<channel>/_configuration/<version>/configuration.json``. No model can have the name
``_configuration``: names of bundles begin with a letter or a digit.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from edgeagent.bundle.section import Sha256, Version
from edgeagent.delivery.repository.channel_entry import ChannelEntry, Signed
from edgeagent.errors import DeliveryError
from edgeagent.files.state_json import DamagedJsonError, parse_json
from edgeagent.settings.partial import MOST_BYTES

SEGMENT = "_configuration"
FILE = "configuration.json"


class Configuration(ChannelEntry):
    """One version of a configuration.

    Attributes:
        sha256: of its file.
        size: of its file in bytes.
        minimum_agent_version: oldest edgeagent that may take it; None for any that knows its keys.
    """

    sha256: Sha256
    size: Annotated[int, Field(gt=0, le=MOST_BYTES)]
    minimum_agent_version: Version | None = None

    @property
    def slot(self) -> str:
        """Name of its file on a device; different content has a different name."""
        return f"{self.version}-{self.sha256[:12]}"

    def target(self, channel: str) -> str:
        """Return the target path of its file."""
        return f"{channel}/{SEGMENT}/{self.version}/{FILE}"


class ConfigurationFile(Signed):
    """Content of the file of a configuration.

    Attributes:
        made_with: version of the edgeagent that checked it.
        settings: keys as in the configuration file of a board.
    """

    schema_version: Literal[1] = 1
    made_with: str
    settings: dict[str, JsonValue]


def parse_configuration(content: bytes, source: str) -> ConfigurationFile:
    """Parse the file of a configuration.

    Args:
        content: of a verified file.
        source: its name, for messages.

    Raises:
        DeliveryError: it does not fit the schema, most likely because it was made for a newer edgeagent.
    """
    try:
        return parse_json(content, ConfigurationFile)
    except DamagedJsonError as error:
        raise DeliveryError(f"{source}: {error}; it may need a newer edgeagent") from None
