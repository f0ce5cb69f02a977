"""What the page knows of the device: the messages that the agent publishes, within bounds.

Nothing is computed a second time: the page shows what every other receiver of the messages gets.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgeagent.events.clips import NAMES as CLIP_NAMES
from edgeagent.events.snapshots import NAMES as SNAPSHOT_NAMES

logger = logging.getLogger(__name__)

KEPT_OBJECTS, KEPT_EVENTS, KEPT_INTERVALS = 200, 200, 180
KEPT_TOPICS = ("alarm", "info", "deployment", "update", "accuracy", "presence", "armed", "zones")
"""First levels of the topics whose last message is kept."""
NOT_KEPT = ("detections", "snapshot", "picture", "reply", "status")


@dataclass(frozen=True, slots=True)
class SeenObject:
    """Object that was reported.

    Attributes:
        id: of the object; its number before the ``-`` is the time of its first sighting, seconds since 1970.
        camera: its name.
        label: None where only its picture is known.
        score: of its newest or best sighting, 0..1.
        seconds: between its first and its newest sighting.
        present: whether it is there now.
        zones: that it has been in.
        speed_mps: newest speed on the ground.
        snapshot: name of its picture below the folder of snapshots; None without one.
        clip: name of its video below the folder of clips; None without one.
    """

    id: str
    camera: str
    label: str | None = None
    score: float | None = None
    seconds: float | None = None
    present: bool = False
    zones: tuple[str, ...] = ()
    speed_mps: float | None = None
    snapshot: str | None = None
    clip: str | None = None

    @property
    def began(self) -> float:
        """Time of the first sighting, seconds since 1970."""
        return float(self.id.partition("-")[0])


@dataclass(frozen=True, slots=True)
class Sight:
    """Copy of all that is known, for one answer.

    Attributes:
        telemetry: last message ``telemetry``; None before the first one.
        retained: last messages by topic.
        history: of the last intervals, oldest first: name of a series to value.
        objects: newest first.
        events: messages ``events/<kind>``, newest first.
    """

    telemetry: dict[str, Any] | None
    retained: dict[str, dict[str, Any]]
    history: list[dict[str, float]] = field(default_factory=list)
    objects: list[SeenObject] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def series(self, name: str) -> list[float | None]:
        """Return the values of a series; None for intervals without one."""
        return [interval.get(name) for interval in self.history]


class DeviceRecord:
    """Keeper of the last messages; thread-safe."""

    def __init__(self) -> None:
        self._retained: dict[str, dict[str, Any]] = {}
        self._telemetry: dict[str, Any] | None = None
        self._history: deque[dict[str, float]] = deque(maxlen=KEPT_INTERVALS)
        self._objects: OrderedDict[str, SeenObject] = OrderedDict()
        self._events: deque[dict[str, Any]] = deque(maxlen=KEPT_EVENTS)
        self._lock = threading.Lock()

    def observe(self, topic: str, payload: bytes) -> None:
        """Keep a message, if it is one for the page.

        Args:
            topic: below the device's prefix.
            payload: of the message.
        """
        name, _, rest = topic.partition("/")
        if name in NOT_KEPT:
            return
        message = json.loads(payload) if payload else {}
        with self._lock:
            if name == "telemetry":
                self._telemetry = message
                self._history.append(series_of(message))
            elif name == "events":
                self._events.appendleft(message)
            elif name == "objects":
                self._observe_object(rest, message)
            elif name in KEPT_TOPICS:
                self._retained[topic] = message

    def read_files(self, snapshots: Path | None, clips: Path | None) -> None:
        """Add the objects of earlier runs of which the folders have pictures or videos."""
        earlier: dict[str, SeenObject] = {}
        for name, camera in _stored(snapshots, SNAPSHOT_NAMES):
            identity = name.removesuffix(".jpg")
            earlier[identity] = SeenObject(identity, camera, snapshot=f"{camera}/{name}")
        for name, camera in _stored(clips, CLIP_NAMES):
            identity = name.removesuffix(".mp4")
            known = earlier.get(identity) or SeenObject(identity, camera)
            earlier[identity] = replace(known, clip=f"{camera}/{name}")
        oldest_first = sorted(earlier.values(), key=lambda one: one.began)[-KEPT_OBJECTS:]
        with self._lock:
            present = self._objects
            self._objects = OrderedDict((one.id, one) for one in oldest_first if one.id not in present)
            self._objects.update(present)
            self._drop_oldest()

    def sight(self) -> Sight:
        """Return a copy of what is known."""
        with self._lock:
            return Sight(
                self._telemetry,
                dict(self._retained),
                list(self._history),
                list(reversed(self._objects.values())),
                list(self._events),
            )

    def _observe_object(self, camera: str, message: Mapping[str, Any]) -> None:
        identity, best = message["id"], message.get("best")
        known = self._objects.get(identity) or SeenObject(identity, camera)
        self._objects[identity] = replace(
            known,
            label=message["label"],
            score=best["score"] if best else message["score"],
            seconds=message["seconds"],
            present=message["event"] != "end",
            zones=tuple(message.get("entered") or known.zones),
            speed_mps=message.get("speed_mps", known.speed_mps),
            snapshot=message.get("snapshot") or known.snapshot,
            clip=message.get("clip") or known.clip,
        )
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        while len(self._objects) > KEPT_OBJECTS:
            self._objects.popitem(last=False)


def series_of(telemetry: Mapping[str, Any]) -> dict[str, float]:
    """Return the values of an interval of which a curve is drawn; what is absent has none."""
    system, found = telemetry["system"], {}
    for camera, report in telemetry["cameras"].items():
        found[f"fps/{camera}"] = report["fps_processed"]
        latency = report["stages"].get("end_to_end", {}).get("p50_ms")
        if latency is not None:
            found[f"latency/{camera}"] = latency
    found["cpu"] = system["cpu_percent"]
    found["memory"] = system["agent_rss_mb"]
    if system["temperatures_c"]:
        found["temperature"] = max(system["temperatures_c"].values())
    if system.get("power"):
        found["power"] = system["power"]["watts"]
    return found


def _stored(folder: Path | None, names: re.Pattern[str]) -> list[tuple[str, str]]:
    """Return name and camera of all files of a kind; none where they cannot be listed."""
    if folder is None or not folder.is_dir():
        return []
    try:
        return [
            (entry.name, camera.name)
            for camera in folder.iterdir()
            if camera.is_dir() and not camera.is_symlink()
            for entry in os.scandir(camera)
            if names.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
        ]
    except OSError as error:
        logger.info("live page: %s: earlier files cannot be listed (%s)", folder, error.strerror)
        return []
