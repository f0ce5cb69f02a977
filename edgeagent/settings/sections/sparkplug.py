"""The ``sparkplug`` section of the configuration: Sparkplug B group and node."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from edgeagent.settings.types import SettingsSection


def _element(value: str) -> str:
    if not value or any(c in value for c in "+#/\0"):
        raise ValueError("expected a name without /, + and #")
    return value


class SparkplugSettings(SettingsSection):
    """Sparkplug B settings: an edge node in addition to the native topics, on the same broker.

    Attributes:
        group: group ID.
        node: edge node ID; None uses ``device``.
        primary_host: ID of the primary host application, without which nothing is published; None for none.
    """

    group: Annotated[str, AfterValidator(_element)] = "edgeagent"
    node: Annotated[str, AfterValidator(_element)] | None = None
    primary_host: Annotated[str, AfterValidator(_element)] | None = None
