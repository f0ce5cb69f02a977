"""A real ingest: mosquitto, the processes of the ingest, a store in a folder, and a simulated fleet."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from edgeagent.fleet.simulator.faults import Faults
from edgeagent.fleet.simulator.fleet import FleetSimulator, Simulation
from edgeagent.fleet.store.opening import open_shared
from edgeagent.fleet.store.protocol import StoreError
from edgeagent.settings.sections.mqtt import MqttSettings
from tests.broker import ANONYMOUS, Mosquitto

PATIENCE_S = 200.0
"""Longest time that a test waits for something that comes; the machine may be busy."""
ROOT = Path(__file__).parents[3]


def fleet_broker(folder: Path, *options: str) -> Mosquitto:
    """Return a broker with the settings of config/broker/mosquitto-fleet.conf, and a folder of its own."""
    sample = (ROOT / "config/broker/mosquitto-fleet.conf").read_text(encoding="utf-8")
    lines = [
        line for line in sample.splitlines() if line and not line.startswith(("#", "persistence_location"))
    ]
    return Mosquitto(folder, (*ANONYMOUS, *lines, f"persistence_location {folder}/", *options))


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.2)


class RunningIngest:
    """Command ``edgeagent fleet ingest``.

    Args:
        port: of the broker from which it reads.
        folder: of the store; its path must be short.
        log: file of its output.
        workers: number of workers.
        more: further options.
    """

    def __init__(self, port: int, folder: Path, log: Path, workers: int, more: tuple[str, ...]) -> None:
        self.folder, self._log = folder, log
        self._command = [sys.executable, "-m", "edgeagent", "fleet", "ingest"]
        self._command += ["--broker", f"127.0.0.1:{port}", "--store", str(folder), "--name", "test"]
        self._command += ["--workers", str(workers), *more]
        self._process: subprocess.Popen[bytes] | None = None
        self._connections = workers + 1

    def start(self) -> None:
        """Start, and return once all workers are subscribed."""
        before = self.subscribed()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=ROOT)
        process = self._process
        wait_for(
            lambda: self.subscribed() >= before + self._connections or process.poll() is not None, self.log()
        )
        assert process.poll() is None, self.log()

    def subscribed(self) -> int:
        """Return how often a worker has connected and subscribed so far."""
        return self.log().count("connected and subscribed")

    def stop(self) -> int:
        """Stop as systemd does; return the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(PATIENCE_S)

    def kill(self) -> None:
        """Kill the supervisor; return once all its processes have ended."""
        assert self._process is not None
        children = self.children()
        self._process.kill()
        self._process.wait()
        _, left = psutil.wait_procs(children, PATIENCE_S)
        assert [one for one in map(_told, left) if psutil.STATUS_ZOMBIE not in one] == []

    def children(self) -> list[psutil.Process]:
        """Return its processes."""
        assert self._process is not None
        return psutil.Process(self._process.pid).children()

    def one(self, module: str) -> psutil.Process:
        """Return its process of a module."""
        found: list[psutil.Process] = []

        def look() -> bool:
            with contextlib.suppress(psutil.Error):
                found[:] = [
                    each for each in self.children() if any(module in word for word in each.cmdline())
                ]
            return bool(found)

        wait_for(look, f"a process of {module}")
        return found[0]

    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text(encoding="utf-8") if self._log.exists() else ""

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query, once the store answers."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                store = open_shared(str(self.folder))
                try:
                    return store.query(sql).rows
                finally:
                    store.close()
            except StoreError:
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.3)

    def wait_for_rows(self, sql: str, expected: list[tuple[Any, ...]]) -> None:
        """Wait until a query has these rows."""
        found: list[list[tuple[Any, ...]]] = [[]]

        def look() -> bool:
            found[0] = self.ask(sql)
            return found[0] == expected

        try:
            wait_for(look, sql)
        except AssertionError:
            raise AssertionError(
                f"{sql}\nexpected {expected}\nfound {found[0]}\n{self.log()[-4000:]}"
            ) from None


def _told(process: psutil.Process) -> str:
    """Return state and command of a process; one that nobody has waited for is a zombie, and has ended."""
    try:
        return f"{process.status()} {process.cmdline()}"
    except psutil.NoSuchProcess:
        return psutil.STATUS_ZOMBIE


@contextlib.contextmanager
def running_ingest(
    broker: Mosquitto, log: Path, workers: int = 1, more: tuple[str, ...] = ()
) -> Iterator[RunningIngest]:
    """Run an ingest with a store in a folder with a short path."""
    with running_ingest_at(broker.port, log, workers, more) as ingest:
        yield ingest


@contextlib.contextmanager
def running_ingest_at(
    port: int, log: Path, workers: int = 1, more: tuple[str, ...] = ()
) -> Iterator[RunningIngest]:
    """As :func:`running_ingest`, with any broker at a port of the loopback interface."""
    with tempfile.TemporaryDirectory(prefix="fleet") as folder:
        ingest = RunningIngest(port, Path(folder) / "store", log, workers, more)
        ingest.start()
        try:
            yield ingest
        finally:
            if ingest._process is not None and ingest._process.poll() is None:
                ingest.stop()


def settings_of(broker: Mosquitto) -> MqttSettings:
    """Return the settings of a connection with a broker."""
    return MqttSettings(host="127.0.0.1", port=broker.port)


def simulated(broker: Mosquitto, messages: int, devices: int = 10, **more: Any) -> FleetSimulator:
    """Publish the messages of a simulated fleet, and return it."""
    given: dict[str, Any] = {"rate": 5000.0, "connections": 2, "faults": Faults(), **more}
    simulator = FleetSimulator(Simulation(devices=devices, messages=messages, **given), settings_of(broker))
    simulator.run()
    return simulator


def end(pid: int) -> None:
    """End a process at once, as a power cut or the kernel does."""
    os.kill(pid, signal.SIGKILL)
