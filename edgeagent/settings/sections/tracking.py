"""The ``tracking`` section of the configuration: identities of objects over time."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from edgeagent.settings.types import Fraction, Seconds, SettingsSection


def _off_as_text(value: Any) -> Any:
    """Convert false to ``off``: YAML 1.1 reads the word as a Boolean."""
    return "off" if value is False else value


class TrackingSettings(SettingsSection):
    """Tracking settings.

    Attributes:
        tracker: method; ``off`` tracks nothing, and there are no objects, zones or lines.
        keep: seconds for which an object that is not seen keeps its identity.
        low: lowest score of a detection that continues a track.
        new: lowest score of a detection that begins one.
    """

    tracker: Annotated[Literal["bytetrack", "ocsort", "off"], BeforeValidator(_off_as_text)] = "bytetrack"
    keep: Seconds = 2.0
    low: Fraction = 0.2
    new: Fraction = 0.5
