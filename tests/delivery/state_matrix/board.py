"""A board: the real daemon, disks of its own that stay when it ends, a broker and a repository over HTTP."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgeagent.delivery.state.device_status import read_device_status
from edgeagent.delivery.state.store import FOLDER
from edgeagent.errors import DeliveryError
from tests.broker import Mosquitto
from tests.daemon.running import PATIENCE, Consumer, Daemon
from tests.delivery.server import Handler, Server
from tests.delivery.state_matrix.offers import MODEL, NAME, Offers
from tests.delivery.state_matrix.shifted_clock import ShiftedClock

LIMIT_S = 3 * PATIENCE
_DISKS = (
    *("unshare", "--user", "--map-root-user", "--mount", "sh", "-euc"),
    'mount -t tmpfs -o size=24m tmpfs "$0"; mount -t tmpfs -o size=1m tmpfs "$1"; echo mounted; cat',
)
_ENDLESS = {"time": "1h", "frames": 5, "rate_change": 5.0, "score_change": 1.0, "slower": 1000.0}
_QUICK = {**_ENDLESS, "time": "1s"}


class Board:
    """One board.

    Args:
        folder: empty folder for its files.
        offers: bundle and state that it begins with.
        broker: it connects to.
        server: of the repository.
        clock: of the daemon.
    """

    def __init__(
        self, folder: Path, offers: Offers, broker: Mosquitto, server: Server, clock: ShiftedClock
    ) -> None:
        self.offers, self.server, self.clock = offers, server, clock
        self._folder, self._broker = folder, broker
        self._disk, self._trust = folder / "disk", folder / "trust"
        self._disk.mkdir(parents=True)
        self._trust.mkdir()
        self._holder = subprocess.Popen(
            [*_DISKS, str(self._disk), str(self._trust)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"mounted\n":
            pytest.skip("this machine gives no user namespace in which a small disk can be mounted")
        shutil.copytree(offers.state, self.state, symlinks=True)
        self.root.write_bytes(offers.root)
        self.consumer = Consumer(broker.port, folder.name)
        self._since: dict[str, int] = {}
        self._read: dict[str, list[Any]] = {}
        self._daemon: Daemon | None = None
        self.held, self._release = threading.Event(), threading.Event()

    @property
    def state(self) -> Path:
        """State folder, from outside."""
        return self._outside(self._disk) / "state"

    @property
    def root(self) -> Path:
        """Trusted root of the configuration, from outside."""
        return self._outside(self._trust) / "root.json"

    @property
    def daemon(self) -> Daemon:
        """Return the daemon that was started last."""
        assert self._daemon is not None
        return self._daemon

    def _outside(self, path: Path) -> Path:
        return Path(f"/proc/{self._holder.pid}/root{path}")

    def _enter(self) -> list[str]:
        where = ["nsenter", f"--target={self._holder.pid}", "--user", "--mount", "--preserve-credentials"]
        return [*where, "--"]

    def protect(self, *, trust: bool = False) -> None:
        """Make the disk of the state, or of the trusted root, read-only, also while files are written to."""
        disk = self._trust if trust else self._disk
        self._mount(f"mount --bind {disk} {disk}; mount -o remount,bind,ro {disk}")

    def allow(self, *, trust: bool = False) -> None:
        """Make it writable again."""
        self._mount(f"umount --lazy {self._trust if trust else self._disk}")

    def _mount(self, command: str) -> None:
        subprocess.run([*self._enter(), "sh", "-euc", command], check=True)

    def start(self, *, endless: bool = False) -> None:
        """Start the daemon; the probation of a model takes a second, or does not end."""
        self.end()
        (self._folder / "notify").unlink(missing_ok=True)
        self._since = {}
        self._since = {topic: len(self.consumer.payloads(topic)) for topic, _ in self.consumer.everything()}
        environment = {**os.environ, **self.clock.environment}
        settings = self._settings(_ENDLESS if endless else _QUICK)
        self._daemon = Daemon(self._folder, settings, self._enter(), environment)
        self._daemon.wait_until_detecting()

    def _settings(self, probation: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "device": self._folder.name,
            "state": str(self._disk / "state"),
            "cameras": [{"name": "yard", "source": str(self.offers.pictures), "loop": True, "fps": 5}],
            "model": {"bundle": str(self.offers.bundle), "engine": "onnxruntime-cpu", "threads": 1},
            "telemetry": {"interval": "1s", "detections": "off"},
            "mqtt": {"host": "127.0.0.1", "port": self._broker.port, "commands": True},
            "accuracy": {"golden_every": None, "drift": False},
            "delivery": {
                "repository": self.server.url,
                "root": str(self._trust / "root.json"),
                "check_every": "1s",
                "jitter": 0.0,
                "gate": {"p90_ms": 60000.0},
                "probation": {**probation, "strikes": 5},
            },
        }

    def command(self, **fields: str) -> None:
        """Send a command, and wait for its answer."""
        self.consumer.publish("cmd", json.dumps({"request_id": "a", **fields}).encode())
        self.wait_for("reply", lambda message: message["request_id"] == "a")

    def offer(self, name: str) -> None:
        """Serve another repository."""
        self.server.folder = self.offers.repositories / name

    def hold(self) -> None:
        """Stop in the middle of the next model that is fetched, until :meth:`release`."""

        def half(handler: Handler, content: bytes) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.send(content[: len(content) // 2])
            handler.wfile.flush()
            self.held.set()
            self._release.wait(LIMIT_S)
            handler.send(content[len(content) // 2 :])

        self.server.answer_next(Path(MODEL).name, half)

    def release(self) -> None:
        """Send the rest."""
        self._release.set()

    def _messages(self, topic: str) -> list[Any]:
        """Return the messages of this start of the daemon; each is read once."""
        given, read = self.consumer.payloads(topic), self._read.setdefault(topic, [])
        read.extend(json.loads(payload) if payload else {} for payload in given[len(read) :])
        return [one for one in read[self._since.get(topic, 0) :] if one and not one.get("historical")]

    def wait_for(self, topic: str, wanted: Callable[[Any], bool]) -> None:
        """Wait for a message of this start of the daemon."""
        self._wait(topic, lambda: any(map(wanted, self._messages(topic))))

    def wait_last(self, topic: str, wanted: Callable[[Any], bool]) -> Any:
        """Wait until the last message is as wanted, and return it."""
        self._wait(topic, lambda: any(map(wanted, self._messages(topic)[-1:])))
        return self._messages(topic)[-1]

    def wait_held(self) -> None:
        """Wait until a file is in the middle of its way."""
        assert self.held.wait(LIMIT_S), self.told()

    def _wait(self, what: str, condition: Callable[[], bool]) -> None:
        self.consumer.wait_until(what, condition, LIMIT_S)

    def told(self) -> str:
        """Return what the last messages about problems and deployment say."""
        last = [self._messages(topic)[-1:] for topic in ("alarm", "deployment")]
        return " ".join(json.dumps(one) for messages in last for one in messages)

    def wait_told(self, words: str) -> None:
        """Wait until one of them has said something that matches since the start of the daemon."""

        def said() -> bool:
            messages = [*self._messages("alarm"), *self._messages("deployment")]
            return any(re.search(words, json.dumps(one)) for one in messages)

        self._wait(words, said)

    def kill_worker(self) -> None:
        """Kill the engine processes, and wait until frames are processed after that."""
        for child in psutil.Process(self.daemon.process.pid).children(recursive=True):
            if "edgeagent.worker.process" in child.cmdline():
                os.kill(child.pid, signal.SIGKILL)
        seen = len(self._messages("telemetry"))

        def processed() -> bool:
            later = [one["cameras"]["yard"]["frames_processed"] for one in self._messages("telemetry")[seen:]]
            return len(later) > 1 and later[-1] > later[0] + 2

        self._wait("further frames", processed)

    def serving(self) -> str:
        """Return the version that serves, as it is told."""
        version: str = self.wait_last("info", lambda _: True)["bundle"]["version"]
        return version

    def status(self) -> int:
        """Return the exit code of ``edgeagent status``, as far as it is about models."""
        found = read_device_status(self.state / FOLDER)
        return DeliveryError.exit_code if found.problem else int(found.failed)

    def stop(self) -> None:
        """Stop in order.

        Raises:
            AssertionError: it does not end as it should, or has logged a traceback.
        """
        self.daemon.process.send_signal(signal.SIGTERM)
        code = self.daemon.wait(LIMIT_S)
        assert code == 0, f"exit code {code}: {self.daemon.log()[-3000:]}"
        self.assert_calm()

    def restart(self) -> None:
        """Stop it, or let it end by itself, and start it again."""
        self.daemon.process.send_signal(signal.SIGTERM)
        self.daemon.wait(LIMIT_S)
        self.assert_calm()
        self.start()

    def kill(self) -> None:
        """Kill the daemon."""
        self.daemon.process.kill()
        self.daemon.wait(LIMIT_S)
        self.assert_calm()

    def assert_calm(self) -> None:
        """No part of the daemon has ended by an error that nobody expected."""
        log = self.daemon.log()
        assert "Traceback" not in log, log[-3000:]
        assert "internal_error" not in self.told(), self.told()

    def assert_signed(self) -> None:
        """Every file of a slot is one of a release; damaged slots lie elsewhere."""
        slots = self.state / FOLDER / "slots"
        for path in slots.glob(f"{NAME}-*/**/*") if slots.is_dir() else ():
            if path.is_file() and path.name != "seal.json":
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                assert digest in self.offers.known, f"{path} is in no release"

    def end(self) -> None:
        """End the daemon at once."""
        if self._daemon is not None:
            self._daemon.end()
        self._daemon = None

    def close(self) -> None:
        """End everything, and remove the files."""
        self.release()
        self.end()
        self.consumer.__exit__()
        self._holder.kill()
        self._holder.communicate()
        shutil.rmtree(self._folder)
