"""Keeps a device's discovery message at the broker current, and takes it away when it is switched off.

What was announced is remembered in a file, with its sensors: so that a start does not take those away that
have no value yet, that entities of a camera that is gone are removed, and the whole device when
``home_assistant`` is taken out of the configuration.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.settings.sections.home_assistant import HomeAssistantSettings
from edgeagent.telemetry.contract.messages import Telemetry
from edgeagent.telemetry.home_assistant import discovery
from edgeagent.telemetry.mqtt.publisher import Arrival, MqttPublisher
from edgeagent.version import __version__

logger = logging.getLogger(__name__)

ANNOUNCED = "home-assistant.json"
BIRTH = b"online"


class Announcer:
    """Announces one device, from the first :meth:`renew` on; may be used from several threads.

    Args:
        publisher: not yet started.
        settings: of Home Assistant.
        device: its name in topics.
        cameras: their names.
        commands: whether the device obeys ``cmd``.
        state: folder for what is remembered.
    """

    def __init__(
        self,
        publisher: MqttPublisher,
        settings: HomeAssistantSettings,
        device: str,
        cameras: tuple[str, ...],
        commands: bool,
        state: Path,
    ) -> None:
        self._publisher, self._device, self._commands = publisher, device, commands
        self._file = state / ANNOUNCED
        self._topic = discovery.discovery_topic(settings.prefix, device)
        self._cameras = cameras
        pictured = cameras if settings.pictures_every is not None else ()
        self._fixed = discovery.problem_entities(device) | discovery.pictures(device, pictured)
        self._lock = threading.Lock()
        self._payload = b""
        before = _read(self._file)
        if before is not None and before["topic"] != self._topic:
            publisher.retain_beside(before["topic"], b"")
            before = None
        announced: discovery.Components = {} if before is None else before["components"]
        same = before is not None and before["by"] == self._by()
        self._sensors = {k: c for k, c in announced.items() if same and c["p"] == "sensor"}
        self._before = {key: discovery.removal(component["p"]) for key, component in announced.items()}
        publisher.subscribe_beside(f"{settings.prefix}/status", self._on_status)

    def renew(self, retained: Mapping[str, bytes]) -> None:
        """Announce what has changed with ``info`` or ``update``."""
        with self._lock:
            self._info = json.loads(retained["info"]) if "info" in retained else None
            self._update: discovery.Components = {}
            if "update" in retained:
                update = json.loads(retained["update"])
                self._update = discovery.update(self._device, update, self._commands)
            self._announce()

    def note(self, telemetry: Telemetry) -> None:
        """Announce sensors that have their first value."""
        with self._lock:
            self._sensors |= discovery.sensors(self._device, telemetry)
            self._announce()

    def _announce(self) -> None:
        present = self._fixed | self._update | self._sensors
        payload = discovery.discovery(self._device, self._info, self._before | present)
        if payload == self._payload:
            return
        self._payload = payload
        remembered = {"topic": self._topic, "by": self._by(), "components": present}
        try:  # first, so that whatever is announced can be taken away again
            write_state(self._file, json.dumps(remembered).encode())
        except EdgeagentError as error:
            logger.error("%s; entities of Home Assistant may stay when they are switched off", error)
        self._publisher.retain_beside(self._topic, payload)

    def _by(self) -> list[str]:
        """What must be as it was for the sensors of an earlier run to be taken over."""
        return [__version__, *self._cameras]

    def _on_status(self, arrival: Arrival) -> None:
        """Announce again when Home Assistant has started: it may not know the device any more."""
        if arrival.payload == BIRTH:
            with self._lock:  # the payload is there: the publisher starts after the first renew
                self._publisher.retain_beside(self._topic, self._payload)


class Withdrawal:
    """Takes away what an earlier run has announced; does nothing where there is nothing.

    Args:
        publisher: not yet started.
        state: folder for what is remembered.
    """

    def __init__(self, publisher: MqttPublisher, state: Path) -> None:
        self._publisher, self._file = publisher, state / ANNOUNCED
        before = _read(self._file)
        self._pending = before is not None
        if before is not None:
            publisher.retain_beside(before["topic"], b"")

    def renew(self, retained: Mapping[str, bytes]) -> None:
        """Nothing is announced."""

    def note(self, telemetry: Telemetry) -> None:
        """Forget what was announced, once the broker was told."""
        if self._pending and self._publisher.state == "connected":
            self._pending = False
            self._file.unlink(missing_ok=True)


def _read(file: Path) -> dict[str, Any] | None:
    """Return what was announced; None where nothing is remembered."""
    try:
        remembered: dict[str, Any] = json.loads(file.read_bytes())
        if isinstance(remembered["topic"], str) and all("p" in c for c in remembered["components"].values()):
            return remembered
        raise ValueError("not as it is written")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.error("%s: cannot be read (%s); older entities of Home Assistant may stay", file, error)
        return None
