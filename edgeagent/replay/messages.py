"""Reports of a replay as lines for people, and as JSON lines in the form of the MQTT messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from edgeagent.daemon.scene_messages import build_object_message
from edgeagent.errors import EdgeagentError
from edgeagent.events.object_life import ObjectEvent
from edgeagent.events.picture_class import ClassChange
from edgeagent.events.scene import Scene, SceneReport

WORDS = {"enter": "enters", "leave": "leaves", "loiter": "loiters in"}


class EventLines:
    """Writer of the events of a replay; a context manager.

    Args:
        camera: name of the camera.
        path: file for JSON lines; None writes none.

    Raises:
        EdgeagentError: on entry, when the file cannot be written.
    """

    def __init__(self, camera: str, path: Path | None) -> None:
        self._camera, self._path = camera, path
        self._file: IO[str] | None = None
        self._sequence = 0
        self._occupied: dict[str, bool | None] = {}

    def __enter__(self) -> EventLines:
        if self._path is not None:
            try:
                self._file = self._path.open("w", encoding="utf-8")
            except OSError as error:
                raise EdgeagentError(
                    f"{self._path}: the events cannot be written ({error.strerror})"
                ) from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, seconds: float, report: SceneReport, scene: Scene) -> Iterator[str]:
        """Write what a frame changed; yield it as lines."""
        for event in report.events:
            self._sequence += 1
            message = build_object_message(event, None, self._sequence)
            self._write({"topic": f"objects/{self._camera}"} | json.loads(message.payload()))
            yield f"{seconds:8.2f} s  {_describe(event)}"
        for change in report.zone_changes:
            self._write({"topic": "events/zone", "seconds": round(seconds, 2), **_fields(change)})
            done = f"{WORDS[change.what]} zone {change.zone}"
            yield f"{seconds:8.2f} s  {change.label} {change.object_id}: {done}"
        for crossing in report.crossings:
            self._write({"topic": "events/line", "seconds": round(seconds, 2), **_fields(crossing)})
            yield (
                f"{seconds:8.2f} s  {crossing.label} {crossing.object_id}: crosses line {crossing.line} "
                f"({crossing.direction})"
            )
        for zone in scene.zones:
            name = zone.settings.name
            if zone.occupied != self._occupied.get(name, False):
                yield f"{seconds:8.2f} s  zone {name} is {'occupied' if zone.occupied else 'free'}"
            self._occupied[name] = bool(zone.occupied)

    def add_class(self, seconds: float, change: ClassChange) -> str:
        """Write a change of the class of the picture; return it as a line."""
        self._write({"topic": "events/label", "seconds": round(seconds, 2), **_fields(change)})
        return f"{seconds:8.2f} s  {change.describe(self._camera)}"

    def _write(self, record: dict[str, object]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(record, separators=(",", ":")) + "\n")


def _describe(event: ObjectEvent) -> str:
    about = f"{event.now.label} {event.track}: {event.what}"
    if event.reason is not None:
        about += f" ({event.reason})"
    if event.what == "end":
        about += f" after {event.now.time_s - event.began_s:.1f} s"
    return about


def _fields(change: object) -> dict[str, object]:
    return {name: getattr(change, name) for name in change.__dataclass_fields__}  # type: ignore[attr-defined]
