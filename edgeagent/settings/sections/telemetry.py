"""The ``telemetry`` section of the configuration: message rates and the spool."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
)

from edgeagent.settings.types import Bytes, Seconds, SettingsSection

DetectionsMode = Literal["changes", "frames", "off"]


def _off_as_text(value: object) -> object:
    """Convert false to ``off``: YAML 1.1 reads the word as a Boolean."""
    return "off" if value is False else value


class SpoolSettings(SettingsSection):
    """Spool settings: storage of messages on disk while the broker is unreachable.

    Attributes:
        size: maximum file size in bytes; the oldest telemetry is evicted first, events last.
        age: maximum age of a message in seconds of agent run time.
        replay: replayed messages per second after a reconnect, in addition to new ones.
    """

    size: Annotated[Bytes, Field(ge=1_000_000)] = 50_000_000
    age: Seconds = 604800.0
    replay: Annotated[float, Field(gt=0)] = 20.0


class DetectionChangesSettings(SettingsSection):
    """Limits of detection messages by change.

    Attributes:
        moved: smallest movement of an edge of a box that counts, as a share of the longer side of the box.
        moves_every: minimum seconds between two messages about movements.
        settle: seconds for which a new number of objects must last.
        refresh: maximum seconds between two messages.
    """

    moved: Annotated[float, Field(gt=0, le=10)] = 0.25
    moves_every: Seconds = 10.0
    settle: Seconds = 0.5
    refresh: Seconds = 600.0


class TelemetrySettings(SettingsSection):
    """Telemetry settings.

    Attributes:
        interval: seconds between telemetry messages.
        detections: which detections are published: those of frames in which something has changed, those of
            all frames, or none.
        detections_changes: limits of ``detections: changes``.
        detections_rate: maximum detection messages per second and camera; 0 sends none.
        detections_empty: whether to report frames without detections, with ``detections: frames``.
        spool: storage of unsent messages on disk; None keeps them in memory only.
    """

    interval: Seconds = 10.0
    detections: Annotated[DetectionsMode, BeforeValidator(_off_as_text)] = "changes"
    detections_changes: DetectionChangesSettings = DetectionChangesSettings()
    detections_rate: Annotated[float, Field(ge=0)] = 5.0
    detections_empty: bool = False
    spool: SpoolSettings | None = SpoolSettings()
