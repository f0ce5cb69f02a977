"""What viewers of the live page cost: frame rate with 0, 1, 5 and 20 viewers over that without the page.

    python benchmarks/page_viewers.py CLIP [--rounds 2] [--seconds 8]

In each round an agent without the page and one with it run one after the other; each plays the clip
unthrottled. The one with the page is watched by 0, 1, 5 and 20 viewers in turn (``viewer_load.py``, a process
of its own; where all cores are busy it counts in). Printed are medians over the rounds with their range: the
ratio, bytes per viewer, time to the first picture, memory, and the 95th percentile of each request while 20
watch.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

from edgeagent.daemon.agent import Agent
from edgeagent.files.resources import sample_clip
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.settings.sections.web import WebSettings

VIEWERS = (0, 1, 5, 20)
LOAD = Path(__file__).with_name("viewer_load.py")
PATIENCE_S = 120.0


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


class Running:
    """Agent that runs between ``with`` and its end.

    Args:
        arguments: of the command line.
        state: state folder.
        port: of the page; None runs without it.
    """

    def __init__(self, arguments: argparse.Namespace, state: Path, port: int | None) -> None:
        camera = CameraSettings(name="clip", source=str(arguments.clip), pace="unthrottled", loop=True)
        self._agent = Agent(
            Settings(
                device="bench",
                state=state,
                cameras=(camera,),
                model=ModelSettings(bundle=arguments.bundle, engine=arguments.engine),
                web=None if port is None else WebSettings(listen=f"127.0.0.1:{port}"),
            )
        )

    def __enter__(self) -> Running:
        self._agent.start()
        end = time.monotonic() + PATIENCE_S
        while self.frames < 10 and time.monotonic() < end:
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._agent.stop()

    @property
    def frames(self) -> int:
        """Frames that were processed."""
        return self._agent.times["clip"].total["end_to_end"].count

    def fps(self, seconds: float) -> float:
        """Return the frames per second of the next seconds."""
        before, began = self.frames, time.monotonic()
        time.sleep(seconds)
        return (self.frames - before) / (time.monotonic() - began)


def watched(running: Running, port: int, viewers: int, seconds: float) -> dict[str, Any]:
    """Return the frame rate while so many watch, and what they have measured."""
    if viewers == 0:
        return {"fps": running.fps(seconds), "bytes_per_s": [], "first_s": [], "requests": {}}
    command = [sys.executable, "-I", str(LOAD), str(port), str(viewers), str(seconds + 1)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdout is not None  # noqa: S101 (a pipe)
        if load.stdout.readline().strip() != "ready":
            raise SystemExit("the viewers got no picture")
        fps = running.fps(seconds)
        memory = psutil.Process().memory_info().rss
        return {"fps": fps, "rss": memory, **json.loads(load.stdout.readline())}


def shown(values: Iterable[float], digits: int) -> str:
    """Return median and range."""
    found = sorted(values)
    if not found:
        return "-"
    return f"{statistics.median(found):.{digits}f} ({found[0]:.{digits}f}..{found[-1]:.{digits}f})"


def main() -> None:
    """Measure in turns, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("clip", type=Path, nargs="?", default=sample_clip())
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--bundle", default="coco-nano")
    parser.add_argument("--engine", default="onnxruntime-cpu")
    given = parser.parse_args()
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    ratios: dict[int, list[float]] = defaultdict(list)
    rates, idle_rss = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.rounds):
            port = free_port()
            with Running(given, Path(folder) / "without", None) as running:
                rates.append(running.fps(given.seconds))
            with Running(given, Path(folder) / "with", port) as running:
                idle_rss.append(psutil.Process().memory_info().rss)
                for viewers in VIEWERS if number % 2 == 0 else reversed(VIEWERS):
                    report = watched(running, port, viewers, given.seconds)
                    found[viewers].append(report)
                    ratios[viewers].append(report["fps"] / rates[-1])
    print(f"without the page: {shown(rates, 1)} frames/s, {given.rounds} rounds of {given.seconds:g} s")
    print(f"memory of the agent before the first viewer: {shown([one / 1e6 for one in idle_rss], 0)} MB")
    for viewers in VIEWERS:
        reports = found[viewers]
        received = [one / 1000 for report in reports for one in report["bytes_per_s"]]
        first = [one for report in reports for one in report["first_s"]]
        memory = [report["rss"] / 1e6 for report in reports if "rss" in report]
        print(
            f"{viewers:2} viewers: ratio {shown(ratios[viewers], 3)}, {shown(received, 0)} kB/s a viewer, "
            f"first picture {shown(first, 2)} s, memory {shown(memory, 0)} MB"
        )
    requests: dict[str, list[float]] = defaultdict(list)
    for report in found[VIEWERS[-1]]:
        for path, seconds in report["requests"].items():
            requests[path] += seconds
    for path, times in sorted(requests.items()):
        p95 = sorted(times)[max(0, round(0.95 * len(times)) - 1)]
        print(f"{path}: p95 {1000 * p95:.0f} ms of {len(times)} requests, {VIEWERS[-1]} viewers")


if __name__ == "__main__":
    main()
