"""What the page is told at its start, and the seam through which it changes settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from edgeagent.settings.live.result import LiveResult
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.state import state_folder

THRESHOLDS = ("model.score_threshold", "events.objects.min_score")
"""Keys that have a slider."""


class SettingsEditor(Protocol):
    """Changes settings while the agent runs."""

    def save_zones(self, camera: str, zones: Sequence[dict[str, Any]], who: str) -> None:
        """Replace the zones of a camera, as written in the configuration.

        Args:
            camera: its name.
            zones: each with the keys of a zone.
            who: name of the user.

        Raises:
            ConfigurationError: they are refused, and nothing has changed.
        """

    def set_keys(self, values: Mapping[str, Any], who: str) -> None:
        """Change keys at once; ``values`` by key, ``who`` is the name of the user.

        Raises:
            ConfigurationError: they are refused, and nothing has changed.
        """

    def configure(
        self, values: Mapping[str, Any], broker_password: str | None, who: str
    ) -> tuple[LiveResult, str | None]:
        """Write keys into the configuration file; as live changes where it cannot be written.

        Args:
            values: by key; a camera that is None is removed.
            broker_password: is written into a file of its own; None leaves that as it is.
            who: name of the user.

        Returns:
            What was applied and what waits for a new start; what is left to do, None where nothing is.

        Raises:
            ConfigurationError: they are refused, and nothing has changed.
        """


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What the page shows that is no message.

    Attributes:
        device: its name.
        cameras: settings of all cameras.
        snapshots: folder of the pictures of objects; None where none are stored.
        tracked: whether objects are tracked.
        broker: whether a broker is configured.
        clips: folder of the videos of objects; None where none are stored.
        thresholds: values of :data:`THRESHOLDS`.
    """

    device: str
    cameras: tuple[CameraSettings, ...]
    snapshots: Path | None
    tracked: bool
    broker: bool
    clips: Path | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> PageFacts:
        """Return the facts of the settings of an agent."""
        tracked, state = settings.tracking.tracker != "off", state_folder(settings)
        snapshots = clips = None
        if settings.snapshots is not None and tracked:
            snapshots = settings.snapshots.folder or state / "snapshots"
        if settings.clips is not None and tracked:
            clips = settings.clips.folder or state / "clips"
        scores = (settings.model.score_threshold, settings.events.objects.min_score)
        return cls(
            settings.device,
            settings.cameras,
            snapshots,
            tracked,
            settings.mqtt.host is not None,
            clips,
            dict(zip(THRESHOLDS, scores, strict=True)),
        )

    def camera(self, name: str) -> CameraSettings | None:
        """Return the settings of a camera; None where there is none of this name."""
        return next((camera for camera in self.cameras if camera.name == name), None)
