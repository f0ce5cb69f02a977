"""A device whose people and cars walk, and what it tells to Frigate's consumers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from edgeagent.events.scene import Scene
from edgeagent.events.stored_files import StoredFiles
from edgeagent.telemetry.frigate.topics import FrigateTopics
from edgeagent.telemetry.mqtt.interface import NoPublisher
from edgeagent.telemetry.mqtt.retained_topics import RetainedTopics
from edgeagent.vision.detections import Detections
from tests.events.test_scene import GATE, found, scene, walk, watch

__all__ = ["GATE", "Told", "found", "scene", "walk"]


class Told(NoPublisher):
    """Everything that Frigate's topics are told.

    Args:
        observed: scene of the camera ``yard``.
        folder: state folder.
    """

    def __init__(self, folder: Path, observed: Scene | None = None) -> None:
        record = RetainedTopics(folder / "frigate-retained.json")
        self.scene = observed or scene(zones=[GATE])
        self.armed = True
        self.sent: list[tuple[str, bytes, int]] = []
        self.retained: list[tuple[str, str]] = []
        self.topics = FrigateTopics("frigate", self, lambda: self.armed, record, ("yard", "gate"))
        self._frames = 0

    def watch(self, frames: list[Detections], stored: dict[str, StoredFiles] | None = None) -> None:
        """Let the camera see frames."""
        for report in watch(self.scene, frames, self._frames):
            self.topics.publish("yard", self.scene, report, stored or {})
        self._frames += len(frames)

    def begin(self) -> None:
        """Tell what there is at a start."""
        self.topics.publish("yard", self.scene, self.scene.state(), {})

    def end(self) -> None:
        """End all objects."""
        self.topics.publish("yard", self.scene, self.scene.end(), {})

    def messages(self, topic: str) -> list[dict[str, Any]]:
        """Return the messages of a topic."""
        return [json.loads(payload) for name, payload, _ in self.sent if name == topic]

    def publish_absolute(self, topic: str, payload: bytes, *, qos: Literal[0, 1]) -> None:
        self.sent.append((topic, payload, qos))

    def retain_absolute(self, topic: str, payload: bytes) -> None:
        self.retained.append((topic, payload.decode()))
