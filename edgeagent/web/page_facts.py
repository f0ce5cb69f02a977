"""What the page is told at its start, and the seam through which it changes settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.state import state_folder


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


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What the page shows that is no message.

    Attributes:
        device: its name.
        cameras: settings of all cameras.
        snapshots: folder of the pictures of objects; None where none are stored.
        tracked: whether objects are tracked.
        broker: whether a broker is configured.
    """

    device: str
    cameras: tuple[CameraSettings, ...]
    snapshots: Path | None
    tracked: bool
    broker: bool

    @classmethod
    def of(cls, settings: Settings) -> PageFacts:
        """Return the facts of the settings of an agent."""
        tracked = settings.tracking.tracker != "off"
        wanted = settings.snapshots
        folder = None
        if wanted is not None and tracked:
            folder = wanted.folder or state_folder(settings) / "snapshots"
        return cls(settings.device, settings.cameras, folder, tracked, settings.mqtt.host is not None)

    def camera(self, name: str) -> CameraSettings | None:
        """Return the settings of a camera; None where there is none of this name."""
        return next((camera for camera in self.cameras if camera.name == name), None)
