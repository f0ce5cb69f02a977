"""The ``home_assistant`` section of the configuration: MQTT discovery."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from edgeagent.settings.types import Seconds, SettingsSection


def _prefix(value: str) -> str:
    if not value or value.startswith("/") or value.endswith("/") or any(c in value for c in "+#\0"):
        raise ValueError("expected a topic such as homeassistant, without + and #")
    return value


class HomeAssistantSettings(SettingsSection):
    """Home Assistant settings.

    Attributes:
        prefix: topic prefix of discovery messages.
        pictures_every: seconds between two annotated pictures of a camera; None sends none.
    """

    prefix: Annotated[str, AfterValidator(_prefix)] = "homeassistant"
    pictures_every: Seconds | None = None
