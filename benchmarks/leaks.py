"""Leaks of the agent: memory, files and threads over restarts of its worker and over a camera that flaps.

::

    restarts   the worker is killed N times; after each new detection the agent is read
    flapping   an HTTP camera (MJPEG) sends for two seconds, then its port is closed for one, and so on;
               the agent is read every few seconds

The agent is a process of its own; detections over MQTT tell when it detects again. The slope is that of a
line through the readings after the first fifth (least squares), with its standard error. PSS, so that pages
that other processes share count in part; beside other load the slope holds, the level less so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import paho.mqtt.client as paho
import psutil
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.memory import read_memory, running
from edgeagent.demo.broker import EmbeddedBroker
from edgeagent.files.resources import sample_clip
from edgeagent.telemetry.contract.messages import ROOT

LONGEST_S = 900.0
SEND_S, AWAY_S = 2.0, 1.0
FRAME_S = 0.1
BOUNDARY = b"frame"
CONFIG = """\
device: leaks
state: {state}
cameras: [{{name: c, source: "{source}", loop: {loop}}}]
model: {{engine: "{engine}"}}
mqtt: {{host: 127.0.0.1, port: {port}, protocol: "3.1.1"}}
telemetry: {{interval: 2s, detections: frames, detections_empty: true}}
"""


@dataclass(frozen=True)
class LeakReading:
    """State of the agent at one moment.

    Attributes:
        at: number of restarts, or minutes.
        main_mb: PSS of the main process.
        files, threads: of the main process.
        worker_mb: PSS of the workers.
    """

    at: float
    main_mb: float
    files: int
    threads: int
    worker_mb: float


@dataclass(frozen=True)
class Slope:
    """Line through the readings of one quantity: change for each restart or minute, and its error."""

    quantity: str
    slope: float
    error: float
    first: float
    last: float


class DetectionTimes:
    """Listener for detections; knows when the newest arrived."""

    def __init__(self, port: int) -> None:
        self._changed = threading.Condition()
        self._newest = 0.0
        self.count = 0
        client = self._client = paho.Client(CallbackAPIVersion.VERSION2, "listener-of-leaks")
        client.on_connect = lambda client, *_: client.subscribe(f"{ROOT}/leaks/detections/c")
        client.on_message = self._arrived
        client.connect("127.0.0.1", port)
        client.loop_start()

    def _arrived(self, client: object, data: object, message: object) -> None:
        with self._changed:
            self._newest, self.count = time.monotonic(), self.count + 1
            self._changed.notify_all()

    def wait_after(self, moment: float) -> None:
        """Wait for a detection that arrives after a monotonic time in seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._newest > moment, LONGEST_S):
                raise SystemExit(f"no detection for {LONGEST_S:g} s; run the agent by hand to see why")

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


class FlappingCamera:
    """MJPEG over HTTP on loopback that comes and goes.

    Attributes:
        port: of the server.
        connections: number of accepted connections.
    """

    def __init__(self) -> None:
        capture = cv2.VideoCapture(str(sample_clip()))
        _, picture = capture.read()
        capture.release()
        self._jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port: int = found.getsockname()[1]
        self.connections = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the camera."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            until = time.monotonic() + SEND_S
            with socket.create_server(("127.0.0.1", self.port)) as server:
                server.settimeout(0.2)
                while time.monotonic() < until and not self._over.is_set():
                    with contextlib.suppress(OSError):
                        self._send(server.accept()[0], until)
            self._over.wait(AWAY_S)

    def _send(self, connection: socket.socket, until: float) -> None:
        self.connections += 1
        with connection:
            connection.recv(4096)
            kind = b"multipart/x-mixed-replace; boundary=" + BOUNDARY
            connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: " + kind + b"\r\n\r\n")
            head = b"--" + BOUNDARY + b"\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
            while time.monotonic() < until and not self._over.wait(FRAME_S):
                connection.sendall(head % len(self._jpeg) + self._jpeg + b"\r\n")


def read_agent(pid: int, at: float) -> LeakReading:
    """Return the state of an agent, once its workers are there while they are read."""
    process = psutil.Process(pid)
    while True:
        with contextlib.suppress(OSError, SystemExit):  # a worker has just ended
            memory = read_memory(pid)
            break
        if not process.is_running():
            raise SystemExit("the agent has ended; run it by hand to see why")
        time.sleep(0.1)
    main, workers = round(memory.main, 2), round(memory.workers, 2)
    return LeakReading(round(at, 2), main, process.num_fds(), process.num_threads(), workers)


@contextlib.contextmanager
def detecting_agent(source: str, engine: str, loop: bool) -> Iterator[tuple[int, DetectionTimes]]:
    """Run the agent with one camera; yield its PID and its detections, after the first."""
    with tempfile.TemporaryDirectory() as name, EmbeddedBroker() as broker:
        config = Path(name) / "edgeagent.yaml"
        values = {"source": source, "engine": engine, "port": broker.port, "loop": str(loop).lower()}
        config.write_text(CONFIG.format(state=Path(name) / "state", **values), "utf-8")
        times = DetectionTimes(broker.port)
        try:
            with running(config) as (agent, started):
                times.wait_after(started)
                yield agent.pid, times
        finally:
            times.stop()


def measure_restarts(count: int, engine: str) -> list[LeakReading]:
    """Kill the worker a number of times; return a reading after each new detection."""
    readings = []
    with detecting_agent(str(sample_clip()), engine, loop=True) as (agent, times):
        for number in range(count + 1):
            if number:
                killed = psutil.Process(agent).children(recursive=True)
                for child in killed:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child.pid, signal.SIGKILL)
                psutil.wait_procs(killed)
                while not psutil.Process(agent).children():  # frames on their way are still published
                    times.wait_after(time.monotonic())
                times.wait_after(time.monotonic())
            readings.append(read_agent(agent, number))
    return readings


def measure_flapping(minutes: float, every_s: float, engine: str) -> tuple[list[LeakReading], int, int]:
    """Let a camera flap; return the readings, the number of its connections and of the detections."""
    camera, readings = FlappingCamera(), list[LeakReading]()
    try:
        with detecting_agent(f"http://127.0.0.1:{camera.port}/", engine, loop=False) as (agent, times):
            begun = time.monotonic()
            while (now := time.monotonic()) < begun + minutes * 60:
                readings.append(read_agent(agent, (now - begun) / 60))
                time.sleep(every_s)
            times.wait_after(time.monotonic())  # it still detects
            return readings, camera.connections, times.count
    finally:
        camera.stop()


def slopes(readings: list[LeakReading]) -> list[Slope]:
    """Return the line through each quantity, after the first fifth of the readings."""
    used = readings[len(readings) // 5 :]
    at = np.array([one.at for one in used])
    found = []
    for quantity in ("main_mb", "files", "threads", "worker_mb"):
        values = np.array([float(getattr(one, quantity)) for one in used])
        (slope, _), covariance = np.polyfit(at, values, 1, cov=True)
        error = float(np.sqrt(covariance[0, 0]))
        found.append(Slope(quantity, round(float(slope), 5), round(error, 5), values[0], values[-1]))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--restarts", type=int, default=50, help="kills of the worker (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=20.0, help="of the camera (default: %(default)s)")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two readings")
    parser.add_argument("--engine", default="auto", help="as model.engine of the configuration")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result: dict[str, object] = {}
    if arguments.restarts:
        readings = measure_restarts(arguments.restarts, arguments.engine)
        result["restarts"] = [asdict(one) for one in readings]
        if not arguments.json:
            _print(f"{arguments.restarts} restarts of the worker", "restart", slopes(readings))
    if arguments.minutes:
        readings, connections, detections = measure_flapping(
            arguments.minutes, arguments.every, arguments.engine
        )
        result["flapping"] = [asdict(one) for one in readings]
        if not arguments.json:
            what = f"{arguments.minutes:g} minutes of a camera that flaps"
            _print(f"{what}, {connections} connections, {detections} frames", "minute", slopes(readings))
    if arguments.json:
        print(json.dumps(result, indent=2))


def _print(what: str, step: str, found: list[Slope]) -> None:
    print(f"{what}\nquantity     first     last  each {step}")
    for one in found:
        print(f"{one.quantity:10} {one.first:7.1f}  {one.last:7.1f}  {one.slope:+.4f} ± {one.error:.4f}")


if __name__ == "__main__":
    main()
