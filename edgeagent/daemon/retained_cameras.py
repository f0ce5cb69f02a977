"""Removal of the retained messages of cameras that have none any more: ``detections/`` and ``zones/``."""

from __future__ import annotations

from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder
from edgeagent.telemetry.mqtt.interface import Publisher
from edgeagent.telemetry.mqtt.retained_topics import RetainedTopics


class RetainedCameras(AgentPart):
    """Removes what the broker retains of cameras that were removed or are reported in another way.

    Args:
        settings: settings of the agent.
        publisher: publisher, not yet started or already running.
    """

    def __init__(self, settings: Settings, publisher: Publisher) -> None:
        self._publisher = publisher
        self._gone: list[tuple[RetainedTopics, frozenset[str]]] = []
        self.follow(settings)

    def follow(self, settings: Settings) -> None:
        """Remove what is retained of cameras that these settings do not have; writes files."""
        by_change = settings.telemetry.detections == "changes" and settings.telemetry.detections_rate > 0
        tracked = settings.tracking.tracker != "off"
        present = {
            "detections": [camera.name for camera in settings.cameras if by_change],
            "zones": [one.name for one in settings.cameras if tracked and (one.zones or one.lines)],
        }
        self._gone = []
        for stream, cameras in present.items():
            record = RetainedTopics(state_folder(settings) / f"{stream}-retained.json")
            gone = record.before.difference(cameras)
            for camera in gone:
                self._publisher.retain(f"{stream}/{camera}", b"")
            record.add(cameras)
            self._gone.append((record, gone))

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Forget the removed cameras if the broker could be told."""
        if self._publisher.state == "connected":
            for record, gone in self._gone:
                record.forget(gone)
