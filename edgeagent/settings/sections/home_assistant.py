"""The ``home_assistant`` section of the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from edgeagent.settings.types import Seconds, SettingsSection


def _prefix(value: str) -> str:
    if not value or value.startswith("/") or value.endswith("/") or any(c in value for c in "+#\0"):
        raise ValueError("expected a topic such as homeassistant, without + and #")
    return value


class HomeAssistantSettings(SettingsSection):
    """Discovery by Home Assistant.

    Attributes:
        prefix: where Home Assistant looks for discovery messages.
        pictures_every: between two pictures of a camera with its detections; None sends none.
    """

    prefix: Annotated[str, AfterValidator(_prefix)] = "homeassistant"
    pictures_every: Seconds | None = None
