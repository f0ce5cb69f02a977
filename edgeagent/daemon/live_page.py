"""The live page as a part of the agent; nothing of it is imported where it is not configured."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from edgeagent.daemon.live.page_editor import PageEditor
from edgeagent.daemon.observed_publisher import ObservedPublisher
from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.detection.frame_result import Result
from edgeagent.errors import ConfigurationError
from edgeagent.events.object_life import ObjectEvent
from edgeagent.events.scene import Scene, SceneReport
from edgeagent.events.stored_files import StoredFiles
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder
from edgeagent.telemetry.mqtt.interface import Publisher

if TYPE_CHECKING:
    from edgeagent.daemon.live.live_changes import LiveChanges

logger = logging.getLogger(__name__)


class LivePage(AgentPart):
    """Page with what the cameras show; it starts before the model, to show how that starts.

    Args:
        settings: settings of the agent, with ``web``.

    Attributes:
        on_trouble: called with the reason when the page cannot be reached, and with None when it can again.

    Raises:
        ConfigurationError: a package is missing, or a secret cannot be read.
    """

    awaits_clips = False

    def __init__(self, settings: Settings) -> None:
        assert settings.web is not None  # noqa: S101 (of the caller)
        try:
            from edgeagent.web.device_record import DeviceRecord
            from edgeagent.web.live_pictures import SceneSight
            from edgeagent.web.page_facts import PageFacts
            from edgeagent.web.server import PageServer
        except ImportError as error:
            raise ConfigurationError(
                f"web: {error.name} is not installed; pip install edgeagent[web]"
            ) from error
        self._state = state_folder(settings)
        self._sight_of, self._sights = SceneSight, dict[str, SceneSight]()
        self.on_trouble: Callable[[str | None], None] = lambda text: None
        self.record = DeviceRecord()
        facts = PageFacts.of(settings)
        self._server = PageServer(
            settings.web, facts, self.record, on_trouble=lambda text: self.on_trouble(text)
        )

    def observed(self, publisher: Publisher) -> Publisher:
        """Return a publisher whose messages the page sees, too."""
        return ObservedPublisher(publisher, self.record.observe)

    def edit_with(self, changes: LiveChanges) -> None:
        """Let the page change settings from now on."""
        self._server.edit_with(PageEditor(changes, self._state))

    def follow(self, settings: Settings) -> None:
        """Show what changed settings say; between two frames."""
        from edgeagent.web.page_facts import PageFacts

        self._server.follow(PageFacts.of(settings))

    def start(self) -> None:
        """Open the page."""
        self._server.start()

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Close the page."""
        self._server.stop(timeout_s)

    def frame(self, result: Result) -> None:
        """Show a frame, if somebody watches its camera."""
        if self._server.watched.anything:
            sight = self._sights.get(result.camera)
            if sight is not None and sight.tracked.time_s != result.frame.captured_ns / 1e9:
                sight = None
            self._server.pictures.offer(result, sight, time.monotonic_ns())

    def publish(
        self,
        camera: str,
        scene: Scene,
        report: SceneReport,
        stored: Mapping[str, StoredFiles] = MappingProxyType({}),
    ) -> None:
        """Keep the tracks of a frame, which is shown afterwards in the same thread."""
        if report.frame is not None and camera in self._server.watched:
            occupied = tuple(zone.settings.name for zone in scene.zones if zone.occupied)
            self._sights[camera] = self._sight_of(report.frame, occupied)

    def publish_picture(self, event: ObjectEvent, jpeg: bytes) -> None:
        """Do nothing: the page reads pictures from the disk."""
        return


def build_live_page(settings: Settings) -> LivePage | None:
    """Return the page; None where none is configured.

    Raises:
        ConfigurationError: as :class:`LivePage`.
    """
    return LivePage(settings) if settings.web is not None else None
