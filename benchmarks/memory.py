"""Memory and start of the agent with 0, 1 and 4 cameras: PSS of its processes, time to the first result.

::

    edgeagent run (a process of its own) -- detections over MQTT --> this program: broker and listener
        -> first message of every camera -> some seconds of detection -> readings of /proc/PID/smaps_rollup

0 cameras is a camera that gives no frame: a named pipe that nobody writes. A case of N cameras plays the
sample clip N times; ``4x1080`` plays it enlarged by ffmpeg; ``1fps`` is one camera with a frame a second.
Each case starts twice, the first time with an empty state folder, until all delegates are tried; memory is
read in the second run.

PSS divides a page among all processes of the machine that map it: another Python program lowers it. ``alone``
counts each page of a file once, as on a board where nothing else runs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import paho.mqtt.client as paho
import psutil
from paho.mqtt.enums import CallbackAPIVersion

from edgeagent.demo.broker import EmbeddedBroker
from edgeagent.detection.records import VERDICTS, load_verdicts
from edgeagent.files.resources import default_bundle, sample_clip
from edgeagent.telemetry.contract.messages import ROOT

CASES = ("0", "1", "4x1080")
LONGEST_START_S = 300.0
PAGE = 4096
CONFIG = """\
device: {device}
state: {state}
cameras:
{cameras}model: {{engine: "{engine}"}}
mqtt: {{host: 127.0.0.1, port: {port}, protocol: "3.1.1"}}
telemetry: {{interval: 2s, detections: frames, detections_empty: true}}
"""


@dataclass(frozen=True)
class MemoryReading:
    """Memory of the agent at one moment, in MB.

    Attributes:
        main: PSS of the process of the agent.
        workers: PSS of the processes of its engines, together.
        alone: of all, with each page of a file counted once.
    """

    main: float
    workers: float
    alone: float


@dataclass(frozen=True)
class CaseResult:
    """What was measured with a number of cameras.

    Attributes:
        case: as in --cases.
        memory: medians of the readings.
        processes: of the agent.
        first_s, second_s: from the start of the process to the first result, without state and with it; to
            the first telemetry message with 0 cameras.
        start_cpu_s: processor seconds of all processes until the first result of the second start.
        busy: share of one processor that all processes took after the start, 0..1 for each processor.
        delegate: that served.
    """

    case: str
    memory: MemoryReading
    processes: int
    first_s: float
    second_s: float
    start_cpu_s: float
    busy: float
    delegate: str


class Arrivals:
    """Listener for the first message of each topic that ends in one of the given names."""

    def __init__(self, port: int) -> None:
        self._changed = threading.Condition()
        self._moments: dict[str, float] = {}
        self.payloads: dict[str, bytes] = {}
        subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "edgeagent-memory")
        self._client.on_connect = lambda client, *_: client.subscribe(f"{ROOT}/#")
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = self._arrived
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        if not subscribed.wait(10):
            raise SystemExit("the listener could not subscribe")

    def _arrived(self, client: object, data: object, message: paho.MQTTMessage) -> None:
        topic = message.topic.removeprefix(f"{ROOT}/")
        with self._changed:
            self._moments.setdefault(topic, time.monotonic())
            self.payloads[topic] = message.payload
            self._changed.notify_all()

    def wait(self, topics: list[str], agent: subprocess.Popen[bytes]) -> list[float]:
        """Return the monotonic times in seconds of the first message of each topic below the device."""
        until = time.monotonic() + LONGEST_START_S
        with self._changed:
            while not all(topic in self._moments for topic in topics):
                if agent.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"no message in {topics}; run the agent by hand to see why")
                self._changed.wait(1)
            return [self._moments[topic] for topic in topics]

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


def read_memory(agent: int) -> MemoryReading:
    """Return the memory of a process and its children."""
    workers = [child.pid for child in psutil.Process(agent).children(recursive=True)]
    anonymous, files = 0.0, defaultdict[str, float](float)
    for pid in (agent, *workers):
        for path, resident, private in _mappings(pid):
            anonymous += private
            files[path] = max(files[path], resident - private)
    return MemoryReading(_pss(agent), sum(map(_pss, workers)), anonymous + sum(files.values()))


def _pss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit(f"no PSS of process {pid}")


def _mappings(pid: int) -> Iterator[tuple[str, float, float]]:
    """Yield path and offset, MB resident, and MB of them that are anonymous, of each mapping."""
    place, values = "", dict[str, int]()
    for line in [*Path(f"/proc/{pid}/smaps").read_text("utf-8", "replace").splitlines(), "end"]:
        name, colon, rest = line.partition(":")
        if colon and " " not in name:
            values[name] = int(rest.split()[0]) if rest.split()[0].isdecimal() else 0
            continue
        if values:
            scale = 1024 / 1e6
            yield place, values["Rss"] * scale, values["Anonymous"] * scale
        fields = line.split(maxsplit=5)
        place, values = f"{fields[2]} {fields[5]}" if len(fields) > 5 else "", {}


@contextlib.contextmanager
def running(config: Path) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """Run the agent; yield its process, and the monotonic time in seconds of its start."""
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "edgeagent", "run", "-c", str(config)], stderr=subprocess.DEVNULL
    ) as agent:
        try:
            yield agent, started
        finally:
            agent.terminate()


def measure(case: str, clip: Path, engine: str, folder: Path, settle_s: float, readings: int) -> CaseResult:
    """Start the agent twice, and return what it takes."""
    count = int(case.split("x")[0].removesuffix("fps"))
    names = [f"c{number}" for number in range(max(count, 1))]
    cameras = "".join(f"  - {{name: {name}, source: '{clip}', loop: true}}\n" for name in names)
    with EmbeddedBroker() as broker:
        starts = []
        for turn in ("first", "second"):
            config = folder / "edgeagent.yaml"
            values = {"cameras": cameras, "engine": engine, "port": broker.port, "state": folder / "state"}
            config.write_text(CONFIG.format(device=turn, **values), "utf-8")
            topics = [f"{turn}/detections/{name}" for name in names] if count else [f"{turn}/telemetry"]
            arrivals = Arrivals(broker.port)
            try:
                with running(config) as (agent, started):
                    starts.append(min(arrivals.wait(topics, agent)) - started)
                    if turn == "first":
                        _await_trials(folder / "state", agent)
                    else:
                        start_cpu_s = _used_s(_processes(agent.pid))
                        time.sleep(settle_s)
                        memory, processes, busy = _observe(agent.pid, readings)
                        delegate = json.loads(arrivals.payloads[f"{turn}/info"])["engine"]["delegate"]
            finally:
                arrivals.stop()
    first_s, second_s, start_cpu_s = (round(value, 2) for value in (*starts, start_cpu_s))
    return CaseResult(case, memory, processes, first_s, second_s, start_cpu_s, busy, delegate)


def _await_trials(state: Path, agent: subprocess.Popen[bytes]) -> None:
    """Wait until the agent has tried all delegates and kept its first choice."""
    until = time.monotonic() + LONGEST_START_S
    while not any(verdict.chosen for verdict in load_verdicts(state / VERDICTS).values()):
        if agent.poll() is not None or time.monotonic() > until:
            raise SystemExit("the delegates were not tried in time; run the agent by hand to see why")
        time.sleep(0.2)


def _observe(agent: int, readings: int) -> tuple[MemoryReading, int, float]:
    """Return the medians of the readings, the number of processes and their processor time over time."""
    processes = _processes(agent)
    begun, used = time.monotonic(), _used_s(processes)
    found = []
    for _ in range(readings):
        time.sleep(1)
        found.append(read_memory(agent))
    busy = (_used_s(processes) - used) / (time.monotonic() - begun)
    medians = {
        name: round(statistics.median(getattr(one, name) for one in found), 1)
        for name in MemoryReading.__dataclass_fields__
    }
    return MemoryReading(**medians), len(processes), round(busy, 3)


def _processes(agent: int) -> list[psutil.Process]:
    return [psutil.Process(agent), *psutil.Process(agent).children(recursive=True)]


def _used_s(processes: list[psutil.Process]) -> float:
    """Return the processor seconds of processes and of their children that have ended."""
    return float(sum(sum(process.cpu_times()[:4]) for process in processes))


def enlarged(folder: Path) -> Path:
    """Return the sample clip at 1920x1080, as a camera sends it: H.264 without B-frames."""
    path = folder / "1080.mp4"
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(sample_clip()), "-vf", "scale=1920:1080"]
    coded = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-frames:v", "100", str(path)]
    subprocess.run([*command, *coded], check=True)
    return path


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", nargs="+", default=CASES, help="N, Nx1080 or 1fps (default: %(default)s)")
    parser.add_argument("--engine", default="auto", help="as model.engine of the configuration")
    parser.add_argument("--settle", type=float, default=8.0, help="seconds of detection before the readings")
    parser.add_argument("--readings", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as name:
        silent = Path(name) / "silent.mp4"
        os.mkfifo(silent)
        for case in arguments.cases:
            folder = Path(name) / case
            folder.mkdir()
            if case == "0":
                clip = silent
            elif case == "1fps":
                clip = default_bundle() / "golden"  # a folder of pictures plays at 1 frame/s
            else:
                clip = enlarged(Path(name)) if "x" in case else sample_clip()
            results.append(
                measure(case, clip, arguments.engine, folder, arguments.settle, arguments.readings)
            )
            if not arguments.json:
                _print(results[-1], heading=len(results) == 1)
    if arguments.json:
        print(json.dumps([asdict(one) for one in results], indent=2))


def _print(result: CaseResult, heading: bool) -> None:
    if heading:
        print("cameras  main PSS  workers PSS  total PSS  alone   first s  second s  CPU s  busy  delegate")
    memory = result.memory
    print(
        f"{result.case:7} {memory.main:9.1f} {memory.workers:12.1f} {memory.main + memory.workers:10.1f} "
        f"{memory.alone:6.1f} {result.first_s:9.2f} {result.second_s:9.2f} {result.start_cpu_s:6.2f} "
        f"{result.busy:5.3f}  {result.delegate}",
        flush=True,
    )


if __name__ == "__main__":
    main()
