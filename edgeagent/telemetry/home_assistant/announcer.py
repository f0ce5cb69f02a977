"""Announcement of the device to Home Assistant: keeps its retained discovery message current.

The announced components are recorded in a file. So a restart does not remove sensors that have no value yet,
entities of a removed camera are deleted, and the whole device is deleted when ``home_assistant`` is removed
from the configuration.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, StringConstraints

from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.files.state_json import DamagedJsonError, read_json
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.home_assistant import HomeAssistantSettings
from edgeagent.telemetry.contract.messages import Telemetry
from edgeagent.telemetry.home_assistant import discovery
from edgeagent.telemetry.home_assistant.object_entities import object_entities
from edgeagent.telemetry.home_assistant.scene_entities import (
    arming_switch,
    scene_entities,
    scene_facts,
    snapshot_images,
    zone_counts,
)
from edgeagent.telemetry.mqtt.interface import Arrival, Publisher
from edgeagent.version import __version__

logger = logging.getLogger(__name__)

ANNOUNCED = "home-assistant.json"
BIRTH = b"online"
FOUND = ("sensor", "binary_sensor", "device_automation")
"""Platforms of components that are announced with their first value."""


@dataclass(frozen=True)
class AnnouncedDevice:
    """Device as it is announced.

    Attributes:
        name: name of the device in topics.
        cameras: names of its cameras.
        commands: whether the device accepts ``cmd``.
        labels: labels that are counted; None for those that are seen.
        scenes: cameras whose zones and lines are reported.
        snapshots: names of the cameras whose pictures of objects are published.
        switch: whether the device can be armed and disarmed by ``cmd``.
    """

    name: str
    cameras: tuple[str, ...]
    commands: bool
    labels: tuple[str, ...] | None = ()
    scenes: tuple[CameraSettings, ...] = ()
    snapshots: tuple[str, ...] = ()
    switch: bool = False


class _AnnouncedComponent(BaseModel, extra="allow"):
    p: str


class _Announced(BaseModel):
    """Content of the file: topic, what made it, and components by their key."""

    topic: Annotated[str, StringConstraints(pattern=r"^[^+#\x00]{1,1000}$")]
    by: list[str]
    components: dict[str, _AnnouncedComponent]


class Announcer:
    """Announces one device, from the first :meth:`update` on; thread-safe.

    Args:
        publisher: publisher, not yet started.
        settings: settings of Home Assistant.
        device: device to announce.
        state: folder of the file with the announced components.
    """

    def __init__(
        self,
        publisher: Publisher,
        settings: HomeAssistantSettings,
        device: AnnouncedDevice,
        state: Path,
    ) -> None:
        self._publisher, self._device = publisher, device
        self._file = state / ANNOUNCED
        self._topic = discovery.discovery_topic(settings.prefix, device.name)
        pictured = device.cameras if settings.pictures_every is not None else ()
        self._fixed = (
            discovery.problem_entities(device.name)
            | discovery.event_entity(device.name)
            | discovery.pictures(device.name, pictured)
            | scene_entities(device.name, device.scenes)
            | snapshot_images(device.name, device.snapshots)
        )
        self._lock = threading.Lock()
        self._payload = b""
        before = _read(self._file)
        if before is not None and before.topic != self._topic:
            publisher.retain_absolute(before.topic, b"")
            before = None
        components = {} if before is None else before.components
        announced: discovery.Components = {key: c.model_dump() for key, c in components.items()}
        same = before is not None and before.by == self._by()
        self._sensors = {
            key: c for key, c in announced.items() if same and c["p"] in FOUND and key not in self._fixed
        }
        self._before = {key: discovery.removal(component["p"]) for key, component in announced.items()}
        publisher.subscribe_absolute(f"{settings.prefix}/status", self._on_status)

    def update(self, retained: Mapping[str, bytes]) -> None:
        """Announce changes of ``info``, ``update`` or ``armed``; retained messages are given by topic."""
        with self._lock:
            self._info = json.loads(retained["info"]) if "info" in retained else None
            self._states: discovery.Components = {}
            if "update" in retained:
                state = json.loads(retained["update"])
                self._states = discovery.model_update(self._device.name, state, self._device.commands)
            if "armed" in retained and self._device.switch:
                self._states |= arming_switch(self._device.name, json.loads(retained["armed"]))
            self._announce()

    def record(self, telemetry: Telemetry) -> None:
        """Announce sensors that have their first value."""
        with self._lock:
            self._sensors |= discovery.sensors(self._device.name, telemetry)
            self._sensors |= object_entities(self._device.name, telemetry)
            self._sensors |= zone_counts(self._device.name, self._device.scenes, telemetry)
            self._announce()

    def _announce(self) -> None:
        present = self._fixed | self._states | self._sensors
        payload = discovery.discovery(self._device.name, self._info, self._before | present)
        if payload == self._payload:
            return
        self._payload = payload
        announced = {"topic": self._topic, "by": self._by(), "components": present}
        try:  # before publishing, so that every announced component can be removed later
            write_state(self._file, json.dumps(announced).encode())
        except EdgeagentError as error:
            logger.error("%s; Home Assistant may keep entities that are switched off", error)
        self._publisher.retain_absolute(self._topic, payload)

    def _by(self) -> list[str]:
        """Return what must be unchanged for the sensors of an earlier run to be announced again."""
        labels = ("*",) if self._device.labels is None else self._device.labels
        return [__version__, *self._device.cameras, "objects", *labels, *scene_facts(self._device.scenes)]

    def _on_status(self, arrival: Arrival) -> None:
        """Announce again after a start of Home Assistant, which may have lost the device."""
        if arrival.payload == BIRTH:
            with self._lock:
                if self._payload:  # else nothing has been announced yet
                    self._publisher.retain_absolute(self._topic, self._payload)


class Withdrawal:
    """Removes the device that an earlier run has announced; does nothing where none was.

    Args:
        publisher: publisher, not yet started.
        state: folder of the file with the announced components.
    """

    def __init__(self, publisher: Publisher, state: Path) -> None:
        self._publisher, self._file = publisher, state / ANNOUNCED
        before = _read(self._file)
        self._pending = before is not None
        if before is not None:
            publisher.retain_absolute(before.topic, b"")

    def update(self, retained: Mapping[str, bytes]) -> None:
        """Do nothing: nothing is announced."""

    def record(self, telemetry: Telemetry) -> None:
        """Delete the file once the broker is connected and has the removal."""
        if self._pending and self._publisher.state == "connected":
            self._pending = False
            try:
                self._file.unlink(missing_ok=True)
            except OSError as error:
                logger.error(
                    "%s: cannot be removed (%s); the next start removes the device from Home Assistant again",
                    self._file,
                    error.strerror,
                )


def _read(file: Path) -> _Announced | None:
    """Return the recorded announcement; None where there is none."""
    try:
        return read_json(file, _Announced)
    except FileNotFoundError:
        return None
    except (OSError, DamagedJsonError) as error:
        logger.error("%s: cannot be read (%s); Home Assistant may keep older entities", file, error)
        return None
