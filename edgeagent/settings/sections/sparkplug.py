"""The ``sparkplug`` section of the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from edgeagent.settings.types import SettingsSection


def _element(value: str) -> str:
    if not value or any(c in value for c in "+#/\0"):
        raise ValueError("expected a name without /, + and #")
    return value


class SparkplugSettings(SettingsSection):
    """A Sparkplug B edge node beside the own topics, at the same broker.

    Attributes:
        group: group id.
        node: edge node id; None is ``device``.
    """

    group: Annotated[str, AfterValidator(_element)] = "edgeagent"
    node: Annotated[str, AfterValidator(_element)] | None = None
