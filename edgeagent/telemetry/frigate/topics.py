"""Publisher of Frigate's topics from what the scenes of all cameras report.

Events and reviews are sent with QoS 1 and are not spooled: who reads them would take a late one for a present
one. Those of an outage are lost and counted; ``objects/<camera>`` of the contract has them. Counts are
retained, so that the right ones are there after an outage. Their topics are recorded, since an agent that was
killed leaves counts: the next start sets those of its cameras and zones to 0 and removes the others.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from edgeagent.events.object_life import ObjectEvent
from edgeagent.events.scene import Scene, SceneReport
from edgeagent.events.stored_files import NONE, StoredFiles
from edgeagent.telemetry.frigate.reviews import CameraReviews
from edgeagent.telemetry.frigate.tracked_objects import FrigateObject
from edgeagent.telemetry.mqtt.interface import Publisher
from edgeagent.telemetry.mqtt.retained_topics import RetainedTopics

ALL = "all"
"""Level of the count of all labels."""


class FrigateTopics:
    """Publisher of ``events``, ``reviews``, counts and pictures; its owner calls it for one report at a time.

    Args:
        prefix: topic prefix.
        publisher: receiver of the messages.
        armed: returns whether reviews may begin.
        record: of the topics of counts.
        places: names of the cameras and zones.
    """

    awaits_clips = False

    def __init__(
        self,
        prefix: str,
        publisher: Publisher,
        armed: Callable[[], bool],
        record: RetainedTopics,
        places: Collection[str],
    ) -> None:
        self._prefix, self._publisher, self._armed = prefix, publisher, armed
        self._sizes: dict[str, tuple[int, int]] = {}
        self._objects: dict[str, FrigateObject] = {}
        self._reviews: dict[str, CameraReviews] = {}
        self._zones: dict[tuple[str, str], Counter[str]] = {}  # by camera and zone
        self._counts: dict[str, int | None] = {}  # by topic, as published; None is not known
        self._record = record
        present = tuple(f"{prefix}/{place}/" for place in places)
        for topic in record.before:
            if topic.startswith(present):
                self._counts[topic] = None
            else:
                publisher.retain_absolute(topic, b"")

    def publish(
        self,
        camera: str,
        scene: Scene,
        report: SceneReport,
        stored: Mapping[str, StoredFiles] = MappingProxyType({}),
    ) -> None:
        """Publish what a frame has changed.

        Args:
            camera: its name.
            scene: of the camera.
            report: what changed.
            stored: files by object.
        """
        if report.frame is not None:
            self._sizes[camera] = report.frame.width, report.frame.height
        for event in report.events:
            self._publish_event(event, stored.get(event.id, NONE).snapshot)
        if report.events or report.counts_changed:
            live = scene.live()
            self._count(camera, Counter(life.now.label for life in live))
            self._count(camera, Counter(life.now.label for life in live if not life.still), "/active")
        if report.counts_changed:
            self._count_zones(camera, scene)

    def publish_picture(self, event: ObjectEvent, jpeg: bytes) -> None:
        """Publish the stored picture of an object; may be called from any thread."""
        topic = f"{self._prefix}/{event.camera}/{_topic_level(event.now.label)}/snapshot"
        self._publisher.publish_absolute(topic, jpeg, qos=0)

    def _publish_event(self, event: ObjectEvent, picture: str | None) -> None:
        known = self._objects.setdefault(event.id, FrigateObject())
        message = known.message(event, self._sizes[event.camera], picture is not None)
        if event.what == "end":
            del self._objects[event.id]
        self._send("events", message)
        reviews = self._reviews.setdefault(event.camera, CameraReviews())
        review = reviews.message(event, picture, self._armed())
        if review is not None:
            self._send("reviews", review)

    def _send(self, topic: str, message: dict[str, Any]) -> None:
        payload = json.dumps(message, separators=(",", ":")).encode()
        self._publisher.publish_absolute(f"{self._prefix}/{topic}", payload, qos=1)

    def _count_zones(self, camera: str, scene: Scene) -> None:
        for zone in scene.zones:
            name = zone.settings.name
            self._zones[camera, name] = counts = Counter(zone.count())
            self._count(f"{camera}/{name}", counts)
            everywhere = (found for (_, other), found in self._zones.items() if other == name)
            self._count(name, sum(everywhere, Counter[str]()))

    def _count(self, place: str, counts: Counter[str], suffix: str = "") -> None:
        """Publish changed counts of a camera or zone; one that was published before may become 0."""
        begin, end = f"{self._prefix}/{place}/", suffix
        topics = {f"{begin}{_topic_level(label)}{end}": number for label, number in counts.items()}
        topics[f"{begin}{ALL}{end}"] = counts.total()
        labels = re.compile(re.escape(begin) + "[^/]*" + re.escape(end))
        for topic in [topic for topic in self._counts if labels.fullmatch(topic)]:
            topics.setdefault(topic, 0)
        self._record.add(topics)
        for topic, number in topics.items():
            if self._counts.get(topic) != number:
                self._counts[topic] = number
                self._publisher.retain_absolute(topic, str(number).encode())


def _topic_level(label: str) -> str:
    """Return a label as a topic level."""
    return re.sub(r"[+#/\x00]", "_", label)
