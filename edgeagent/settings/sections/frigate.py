"""The ``frigate`` section of the configuration: topics of Frigate."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from edgeagent.settings.types import SettingsSection

LONGEST_PREFIX = 100
TAKEN = ("edgeagent", "homeassistant", "spBv1.0")
"""First levels of topics that the agent uses otherwise."""


def _prefix(value: str) -> str:
    levels = value.split("/")
    printable = all(level and level.isprintable() and not set(level) & set("+#") for level in levels)
    if not printable or len(value) > LONGEST_PREFIX or levels[0].startswith("$") or levels[0] in TAKEN:
        raise ValueError(
            f"expected a topic such as frigate of {LONGEST_PREFIX} characters at most, without + and #, and "
            f"none of {', '.join(TAKEN)}"
        )
    return value


class FrigateSettings(SettingsSection):
    """Frigate settings: events, reviews, counts and pictures as Frigate publishes them.

    Attributes:
        prefix: topic prefix, which no other device and no Frigate at the same broker may have.
    """

    prefix: Annotated[str, AfterValidator(_prefix)] = "frigate"
