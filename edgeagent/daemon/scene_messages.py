"""Messages about tracked objects: ``objects/<camera>``, ``zones/<camera>``, events of zones and lines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

from edgeagent.events.object_life import Box, ObjectEvent
from edgeagent.events.scene import Scene, SceneReport
from edgeagent.events.stored_files import NONE, StoredFiles
from edgeagent.sensors.board import read_board
from edgeagent.telemetry.contract.scene import (
    BestSighting,
    LineState,
    ObjectMessage,
    ZonesMessage,
    ZoneState,
)
from edgeagent.telemetry.event_log import EventLog
from edgeagent.telemetry.mqtt.interface import Publisher
from edgeagent.timing.utc import utc_time

DIGITS = 4  # of shares of the picture: less than a pixel of 8K


class SceneMessages:
    """Publisher of what scenes report; thread-safe.

    Args:
        run: number of this start of the agent, None where it is unknown.
        publisher: receiver of the messages.
        events: receiver of the events of zones and lines.
        armed: returns whether events of zones and lines are published.
        pictures: returns whether pictures of objects are published.
    """

    awaits_clips = True

    def __init__(
        self,
        run: int | None,
        publisher: Publisher,
        events: EventLog,
        armed: Callable[[], bool] = lambda: True,
        pictures: Callable[[], bool] = lambda: False,
    ) -> None:
        self._run, self._publisher, self._events, self._armed = run, publisher, events, armed
        self._pictures = pictures
        self._boot_id = read_board().boot_id
        self._sequence = 0
        self._occupied: dict[tuple[str, str], tuple[bool, float]] = {}
        self._lock = threading.Lock()

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
        for event in report.events:
            self.publish_event(event, stored.get(event.id, NONE))
        if self._armed():
            self._record_events(camera, report)
        if report.counts_changed:
            self._publish_zones(camera, scene)

    def publish_picture(self, event: ObjectEvent, jpeg: bytes) -> None:
        """Publish the stored picture of an object, where that is wanted."""
        if self._pictures():
            self._publisher.publish(f"snapshot/{event.camera}", jpeg, qos=0)

    def _record_events(self, camera: str, report: SceneReport) -> None:
        for crossing in report.crossings:
            text = f"{crossing.label} crossed line {crossing.line} of camera {camera}: {crossing.direction}"
            place = {"camera": camera, "line": crossing.line, "label": crossing.label}
            self._events.record("line", text, **place, direction=crossing.direction, track=crossing.object_id)
        for change in report.zone_changes:
            if change.what == "loiter":
                text = f"{change.label} loiters in zone {change.zone} of camera {camera}"
                place = {"camera": camera, "zone": change.zone, "label": change.label}
                seconds = round(change.dwell_s, 1)
                self._events.record(
                    "zone", text, **place, state="loiter", seconds=seconds, track=change.object_id
                )

    def publish_event(self, event: ObjectEvent, stored: StoredFiles = NONE) -> None:
        """Publish an event in the life of an object."""
        with self._lock:
            self._sequence += 1
            message = build_object_message(event, self._run, self._sequence, stored)
            self._publisher.publish(f"objects/{event.camera}", message.payload(), qos=1)

    def _publish_zones(self, camera: str, scene: Scene) -> None:
        now = time.time()
        zones = {}
        for zone in scene.zones:
            name, occupied = zone.settings.name, bool(zone.occupied)
            known = self._occupied.get((camera, name))
            if known is None or known[0] is not occupied:
                self._occupied[camera, name] = occupied, now
                state = "occupied" if occupied else "free"
                if (known is not None or occupied) and self._armed():
                    text = f"zone {name} of camera {camera} is {state}"
                    self._events.record("zone", text, camera=camera, zone=name, state=state)
            since = utc_time(self._occupied[camera, name][1])
            zones[name] = ZoneState(occupied=occupied, since=since, objects=zone.count())
        lines = {
            line.settings.name: LineState(
                crossed_in={label: n for (label, way), n in sorted(line.totals.items()) if way == "in"},
                crossed_out={label: n for (label, way), n in sorted(line.totals.items()) if way == "out"},
            )
            for line in scene.lines
        }
        if zones or lines:
            message = ZonesMessage(
                time=utc_time(now), boot_id=self._boot_id, run=self._run, zones=zones, lines=lines
            )
            self._publisher.retain(f"zones/{camera}", message.payload())


def build_object_message(
    event: ObjectEvent, run: int | None, sequence: int, stored: StoredFiles = NONE
) -> ObjectMessage:
    """Return the message of an event.

    Args:
        event: in the life of an object.
        run: number of this start of the agent, None where it is unknown.
        sequence: number of the message in its stream.
        stored: files of the object.
    """
    now, best = event.now, event.best
    has_best = event.what == "end" or event.reason == "picture"
    return ObjectMessage(
        time=utc_time(now.utc_s),
        run=run,
        sequence=sequence,
        event=event.what,
        reason=event.reason,
        id=event.id,
        label=now.label,
        seconds=round(now.time_s - event.began_s, 2),
        score=round(now.score, 3),
        box=_rounded(now.box),
        zones=now.zones or None,
        entered=event.entered or None,
        still=event.still or None,
        speed_mps=None if now.speed is None else round(now.speed, 2),
        position_m=None if now.position is None else (round(now.position[0], 3), round(now.position[1], 3)),
        best=BestSighting(time=utc_time(best.utc_s), score=round(best.score, 3), box=_rounded(best.box))
        if has_best
        else None,
        path=tuple(
            (round(at - event.began_s, 2), round(x, DIGITS), round(y, DIGITS)) for at, (x, y) in event.path
        )
        or None,
        snapshot=stored.snapshot,
        clip=stored.clip,
    )


def _rounded(box: Box) -> Box:
    x1, y1, x2, y2 = (round(value, DIGITS) for value in box)
    return x1, y1, x2, y2
