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
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import psutil
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
        settings: the configuration; None uses ``edgeagent.yaml`` of the folder as it is.
        launcher: program and arguments that start the daemon's command line.
        environment: environment without that of the supervisor; None is that of the test.
    """

    def __init__(
        self,
        folder: Path,
        settings: dict[str, Any] | None,
        launcher: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        config, self._log = folder / "edgeagent.yaml", folder / "stderr.log"
        if settings is not None:
            config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        self._notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notifications.bind(str(folder / "notify"))
        about = os.environ if environment is None else environment
        command = [*launcher, sys.executable, "-m", "edgeagent", "run", "-c", str(config)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env={**about, "NOTIFY_SOCKET": str(folder / "notify")}, stderr=log
            )

    def wait_for_notification(self, wanted: str) -> str:
        """Wait until the daemon has told systemd something that begins so, and return it."""
        return self.wait_for_notifications(wanted)[0]

    def wait_for_notifications(self, *wanted: str) -> list[str]:
        """Wait until the daemon has told systemd what begins so, in any order; return these lines."""
        self._notifications.settimeout(3 * PATIENCE)  # none comes while an engine starts on a busy machine
        found: dict[str, str] = {}
        try:
            while len(found) < len(wanted):
                for line in self._notifications.recv(4096).decode().splitlines():
                    found |= {one: line for one in wanted if one not in found and line.startswith(one)}
        except TimeoutError:
            missing = ", ".join(one for one in wanted if one not in found)
            raise AssertionError(f"no {missing}; the daemon said:\n{self.log()}") from None
        return [found[one] for one in wanted]

    def read_notifications(self) -> None:
        """Read what the daemon has told systemd so far; it waits for a manager that reads nothing."""
        self._notifications.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._notifications.recv(4096)

    def wait_until_detecting(self) -> None:
        """Wait until the daemon has processed a frame."""
        self.wait_for_notification("STATUS=detecting")

    def wait_for_log(self, *texts: str) -> None:
        """Wait until the daemon has logged all of some texts."""
        until = time.monotonic() + 5 * PATIENCE
        while not all(text in self.log() for text in texts):
            assert time.monotonic() < until and self.process.poll() is None, self.log()
            time.sleep(0.05)

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


def serving_worker(agent: int) -> psutil.Process:
    """Return the worker that serves: the oldest one, since candidates are tried beside it."""
    workers = [
        child for child in psutil.Process(agent).children() if "edgeagent.worker.process" in child.cmdline()
    ]
    return min(workers, key=lambda one: one.create_time())


@contextlib.contextmanager
def running(
    folder: Path,
    settings: dict[str, Any] | None,
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
    """Collects what arrives below a device's prefix, or below another one."""

    def __init__(self, port: int, device: str, prefix: str | None = None) -> None:
        self._prefix = prefix or f"edgeagent/v1/{device}/"
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

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish a message below the device's prefix."""
        self._client.publish(self._prefix + topic, payload, qos=1).wait_for_publish(PATIENCE)

    def payloads(self, topic: str) -> list[bytes]:
        """All messages of a topic so far, oldest first."""
        with self._changed:
            return [payload for name, payload in self._messages if name == topic]

    def everything(self) -> list[tuple[str, bytes]]:
        """All topics and messages so far, oldest first."""
        with self._changed:
            return list(self._messages)

    def wait_until(self, what: str, condition: Callable[[], bool], limit: float = PATIENCE) -> None:
        """Wait for a condition, which is looked at whenever a message arrives."""
        with self._changed:
            assert self._changed.wait_for(condition, limit), f"{what}: {self._messages[-3:]}"

    def wait_for(self, topic: str, wanted: Callable[[Any], bool]) -> Any:
        """Wait for a message, as JSON, that is ``wanted``; an empty one removes a retained message."""

        def found() -> list[Any]:
            given = [payload for name, payload in self._messages if name == topic and payload]
            return [message for message in map(json.loads, given) if wanted(message)]

        with self._changed:
            assert self._changed.wait_for(found, PATIENCE), f"{topic}: {self._messages[-3:]}"
            return found()[0]

    def wait_for_bytes(self, topic: str) -> bytes:
        """Wait for the first message of a topic that is no JSON, such as a picture."""

        def found() -> list[bytes]:
            return [payload for name, payload in self._messages if name == topic]

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
