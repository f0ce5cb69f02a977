"""Healthy workers killed on a busy machine: the agent starts and detects among busy processes.

Busy processes compute without a pause, at normal priority, before the agent starts. It plays the sample clip
again and again; nothing is done to its workers, so that each that is given up was healthy. Progress goes to
standard error, the numbers to standard output, also when the run is interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeagent.daemon.agent import Agent
from edgeagent.detection.frame_result import Result
from edgeagent.files.resources import sample_clip
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.worker.engine import WorkerEngine, WorkerHungError
from edgeagent.worker.starvation import DeadlineWatch

EVERY_S = 30.0


class Watched:
    """Workers that are given up, and the pauses between results."""

    def __init__(self) -> None:
        self.killed: list[str] = []
        self.results, self.longest_s = 0, 0.0
        self._last_s: float | None = None
        give_up = WorkerEngine._give_up

        def counted(
            engine: WorkerEngine, what: str, deadline_s: float, watch: DeadlineWatch, starved: bool
        ) -> WorkerHungError:
            error = give_up(engine, what, deadline_s, watch, starved)
            self.killed.append(str(error))
            return error

        WorkerEngine._give_up = counted  # type: ignore[method-assign]

    def result(self, result: Result) -> None:
        """Count a result."""
        now = time.monotonic()
        if self._last_s is not None:
            self.longest_s = max(self.longest_s, now - self._last_s)
        self._last_s, self.results = now, self.results + 1


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Let so many processes compute."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def load() -> str:
    """Return the load averages of the machine."""
    return ", ".join(f"{one:.1f}" for one in os.getloadavg())


def interrupt(*_: object) -> None:
    """End the measurement as Ctrl-C does."""
    raise KeyboardInterrupt


def detect(engine: str, seconds: float, state: Path, watched: Watched) -> float:
    """Run the agent, and return the seconds from the end of its start to that of the measurement."""
    camera = CameraSettings(name="clip", source=str(sample_clip()), loop=True)
    began = time.monotonic()
    agent = None
    try:
        agent = Agent(
            Settings(state=state, cameras=(camera,), model=ModelSettings(engine=engine)), watched.result
        )
        agent.start()
        print(f"the start took {time.monotonic() - began:.0f} s; load {load()}", file=sys.stderr, flush=True)
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds and not agent.wait(
            min(EVERY_S, seconds - passed)
        ):
            print(
                f"{passed / 60:.1f} min: {len(watched.killed)} killed, {watched.results} results; "
                f"load {load()}",
                file=sys.stderr,
                flush=True,
            )
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    finally:
        passed = time.monotonic() - began
        if agent is not None:
            agent.stop()
    return passed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--load", type=int, default=10, help="busy processes")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, interrupt)
    watched, before = Watched(), load()
    with tempfile.TemporaryDirectory() as state, busy(arguments.load):
        passed = detect(arguments.engine, 60 * arguments.minutes, Path(state), watched)
        after = load()
    for text in watched.killed:
        print(text)
    print(
        f"healthy workers killed: {len(watched.killed)} in {passed / 60:.1f} min with {arguments.load} busy "
        f"processes on {os.cpu_count()} processors; {watched.results} results, longest pause between two "
        f"{watched.longest_s:.1f} s; load average {before} before, {after} at the end"
    )
    if arguments.json is not None:
        numbers = {
            "killed": watched.killed,
            "minutes": round(passed / 60, 2),
            "results": watched.results,
            "longest_pause_s": round(watched.longest_s, 2),
            "load": {"before": before, "after": after},
        }
        arguments.json.write_text(json.dumps(numbers, indent=1))


if __name__ == "__main__":
    main()
