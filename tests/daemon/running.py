"""``edgeagent run`` as a process of its own, supervised as systemd does it, and a real consumer of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import yaml
from paho.mqtt.enums import CallbackAPIVersion

PATIENCE = 60.0
"""Seconds after which a test gives up; none of them waits so long when all is well."""

STOP_LIMIT = 3.0
"""Seconds in which the daemon promises to stop."""


class Daemon:
    """A running daemon; notifications arrive as systemd would get them.

    Args:
        folder: for the configuration and the log.
        settings: the configuration.
        launcher: program and arguments that start the daemon's command line.
        environment: environment without that of the supervisor; None is that of the test.
    """

    def __init__(
        self,
        folder: Path,
        settings: dict[str, Any],
        launcher: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        config, self._log = folder / "edgeagent.yaml", folder / "stderr.log"
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        self._notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notifications.bind(str(folder / "notify"))
        about = os.environ if environment is None else environment
        command = [*launcher, sys.executable, "-m", "edgeagent", "run", "-c", str(config)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env={**about, "NOTIFY_SOCKET": str(folder / "notify")}, stderr=log
            )

    def wait_for_notification(self, wanted: str) -> None:
        """Wait until the daemon has told systemd so."""
        self._notifications.settimeout(PATIENCE)
        try:
            while wanted not in self._notifications.recv(4096).decode().splitlines():
                pass
        except TimeoutError:
            raise AssertionError(f"no {wanted}; the daemon said:\n{self.log()}") from None

    def wait(self, timeout: float = PATIENCE) -> int:
        """Wait for the end and return the exit code."""
        return self.process.wait(timeout)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code if the daemon stops as soon as it promises."""
        self.process.send_signal(number)
        return self.wait(STOP_LIMIT)

    def log(self) -> str:
        """What it has written to standard error."""
        return self._log.read_text(encoding="utf-8")

    def end(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(PATIENCE)
        self._notifications.close()


@contextlib.contextmanager
def running(
    folder: Path,
    settings: dict[str, Any],
    launcher: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Daemon]:
    """Run the daemon on settings for a while; the arguments are those of :class:`Daemon`."""
    daemon = Daemon(folder, settings, launcher, environment)
    try:
        yield daemon
    finally:
        daemon.end()


class Consumer:
    """Collects what arrives below a device's prefix."""

    def __init__(self, port: int, device: str) -> None:
        self._prefix = f"edgeagent/v1/{device}/"
        self._changed = threading.Condition()
        self._messages: list[tuple[str, bytes]] = []
        subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe(self._prefix + "#", qos=1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = self._collect
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert subscribed.wait(PATIENCE)

    def __enter__(self) -> Consumer:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def payloads(self, topic: str) -> list[bytes]:
        """All messages of a topic so far, oldest first."""
        with self._changed:
            return [payload for name, payload in self._messages if name == topic]

    def everything(self) -> list[tuple[str, bytes]]:
        """All topics and messages so far, oldest first."""
        with self._changed:
            return list(self._messages)

    def wait_for(self, topic: str, wanted: Callable[[Any], bool]) -> Any:
        """Wait for a message, as JSON, that is ``wanted``; an empty one removes a retained message."""

        def found() -> list[Any]:
            given = [payload for name, payload in self._messages if name == topic and payload]
            return [message for message in map(json.loads, given) if wanted(message)]

        with self._changed:
            assert self._changed.wait_for(found, PATIENCE), f"{topic}: {self._messages[-3:]}"
            return found()[0]

    def wait_for_status(self, status: bytes) -> None:
        """Wait until ``status`` is the last that was published."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: [p for name, p in self._messages if name == "status"][-1:] == [status], PATIENCE
            ), f"{status!r}: {self._messages[-3:]}"

    def _collect(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        with self._changed:
            self._messages.append((message.topic.removeprefix(self._prefix), bytes(message.payload)))
            self._changed.notify_all()
