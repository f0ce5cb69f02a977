"""Receiver of what scenes report: makes events of it, and has the actions done whose rules are for them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from edgeagent.events.object_life import ObjectEvent
from edgeagent.events.scene import Scene, SceneReport
from edgeagent.events.stored_files import NONE, StoredFiles
from edgeagent.settings.sections.actions import ConditionSettings, Trigger
from edgeagent.telemetry.actions.action import Action
from edgeagent.telemetry.actions.action_event import ActionEvent
from edgeagent.telemetry.actions.matching import is_for
from edgeagent.timing.deadline import Deadline
from edgeagent.timing.utc import utc_time


@dataclass(frozen=True)
class Rule:
    """Rule: events, and what is done.

    Attributes:
        when: conditions.
        action: to be done.
    """

    when: ConditionSettings
    action: Action


class ActionReceiver:
    """Has actions done; never waits.

    Args:
        device: its name.
        rules: all rules.
        armed: returns whether the device is armed.
        now: returns seconds since 1970.
    """

    awaits_clips = True

    def __init__(
        self,
        device: str,
        rules: Sequence[Rule],
        armed: Callable[[], bool] = lambda: True,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._device, self._rules, self._armed, self._now = device, tuple(rules), armed, now
        self._occupied: dict[tuple[str, str], bool] = {}

    def start(self) -> None:
        """Start the actions."""
        for rule in self._rules:
            rule.action.start()

    def stop(self, timeout_s: float) -> None:
        """Stop the actions."""
        deadline = Deadline(timeout_s)
        for rule in self._rules:
            rule.action.stop(deadline.left_s)

    def publish(
        self,
        camera: str,
        scene: Scene,
        report: SceneReport,
        stored: Mapping[str, StoredFiles] = MappingProxyType({}),
    ) -> None:
        """Have done what is to be done about a report.

        Args:
            camera: its name.
            scene: of the camera.
            report: what changed.
            stored: files by object.
        """
        for event in report.events:
            if event.what != "update":
                self._object(event, stored.get(event.id, NONE))
        for crossing in report.crossings:
            kind: Trigger = "line.in" if crossing.direction == "in" else "line.out"
            self._happened(kind, camera, line=crossing.line, label=crossing.label)
        for change in report.zone_changes:
            if change.what == "loiter":
                seconds = round(change.dwell_s, 1)
                self._happened("zone.loiter", camera, zone=change.zone, label=change.label, seconds=seconds)
        if report.counts_changed:
            self._zones(camera, scene)

    def publish_picture(self, event: ObjectEvent, jpeg: bytes) -> None:
        """Do nothing: events name stored pictures."""

    def _object(self, event: ObjectEvent, stored: StoredFiles) -> None:
        self._happened(
            "object.new" if event.what == "new" else "object.end",
            event.camera,
            event.now.utc_s,
            label=event.now.label,
            object=event.id,
            seconds=round(event.now.time_s - event.began_s, 2),
            score=round(event.best.score, 3),
            snapshot=stored.snapshot,
            clip=stored.clip,
        )

    def _zones(self, camera: str, scene: Scene) -> None:
        for zone in scene.zones:
            name, occupied = zone.settings.name, bool(zone.occupied)
            known = self._occupied.get((camera, name))
            self._occupied[camera, name] = occupied
            if known is not occupied and (known is not None or occupied):
                self._happened("zone.occupied" if occupied else "zone.free", camera, zone=name)

    def _happened(self, kind: Trigger, camera: str, at_s: float | None = None, **about: Any) -> None:
        now = self._now() if at_s is None else at_s
        event = ActionEvent(
            id=uuid.uuid4().hex, time=utc_time(now), device=self._device, camera=camera, event=kind, **about
        )
        armed, local = self._armed(), datetime.fromtimestamp(now)
        for rule in self._rules:
            if is_for(rule.when, event, armed, local):
                rule.action.act(event)
