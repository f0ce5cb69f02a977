"""Recovery times: seconds without detection after a worker dies, hangs, or computes wrongly.

The agent plays the sample clip, unthrottled and again and again; then the engine that serves is made to
fail, and the time runs until the first result of the next. SIGKILL, SIGSEGV and SIGABRT end its worker,
SIGSTOP lets it hang. For ``wrong`` the check by the golden pictures allows nothing, so that it finds fault;
the time runs from that check on. Back-off is that of the agent, so that most faults meet candidates whose
pause is not over. Kinds take turns. The table states the load average of the machine before and after.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Queue

from edgeagent.daemon.agent import Agent
from edgeagent.detection.pipeline import Result
from edgeagent.detection.serving import Change
from edgeagent.files.resources import sample_clip
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.worker.engine import WorkerEngine

PATIENCE_S = 180.0
REST_S = 2.0  # between two faults


class Watched:
    """An agent whose results and changes are seen."""

    def __init__(self, engines: str, state: Path) -> None:
        self.changes: Queue[Change] = Queue()
        self._result = threading.Condition()
        self._count = 0
        self.agent = Agent(
            Settings(
                state=state,
                cameras=(
                    CameraSettings(name="clip", source=str(sample_clip()), pace="unthrottled", loop=True),
                ),
                model=ModelSettings(engine=engines, threads=1, check_every=3600.0),
            ),
            on_result=self._seen,
        )
        serving = self.agent.models.serving
        on_change = serving._on_change

        def both(change: Change) -> None:
            on_change(change)
            self.changes.put(change)

        serving._on_change = both
        self.agent.start()

    def _seen(self, result: Result) -> None:
        with self._result:
            self._count += 1
            self._result.notify_all()

    def results(self, count: int) -> None:
        """Wait for so many results from now on."""
        with self._result:
            wanted = self._count + count
            if not self._result.wait_for(lambda: self._count >= wanted, PATIENCE_S):
                raise TimeoutError("no results")

    def worker(self) -> WorkerEngine:
        """Return what serves."""
        detector = self.agent.models.serving.current(PATIENCE_S)
        if detector is None or not isinstance(detector.engine, WorkerEngine):
            raise TimeoutError("nothing serves")
        return detector.engine


def once(watched: Watched, fail: Callable[[Watched], None]) -> float:
    """Let what serves fail, and return the seconds until the first result of the next candidate."""
    watched.results(3)
    while not watched.changes.empty():
        watched.changes.get()
    began = time.monotonic()
    fail(watched)
    while (change := watched.changes.get(timeout=PATIENCE_S)).failure is None or change.serving is None:
        if change.failure is not None:
            print(f"not detecting: {change.reason}", flush=True)
    watched.results(1)
    away = time.monotonic() - began
    time.sleep(REST_S)
    return away


def send(number: signal.Signals) -> Callable[[Watched], None]:
    """Return a failure by signal."""
    return lambda watched: os.kill(watched.worker().pid, number)


def miscompute(watched: Watched) -> None:
    """Find the serving engine wrong, as a check by the golden pictures does."""
    serving = watched.agent.models.serving
    check = serving._trials._checks
    file = serving.candidate.artefact.file if serving.candidate else ""
    kept = check[file].tolerance
    check[file].tolerance = -1.0
    serving._supervise(serving._check)
    check[file].tolerance = kept


FAILURES = {
    **{one.name: send(one) for one in (signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV, signal.SIGABRT)},
    "wrong": miscompute,
}


def load() -> str:
    """Return the load averages of the machine."""
    return ", ".join(f"{one:.1f}" for one in os.getloadavg())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", default="auto", help="first choice first")
    parser.add_argument("--times", type=int, default=50, help="of each failure")
    parser.add_argument("failures", nargs="*", default=list(FAILURES), help=", ".join(FAILURES))
    arguments = parser.parse_args()
    before = load()
    times: dict[str, list[float]] = {name: [] for name in arguments.failures}
    with tempfile.TemporaryDirectory() as state:
        watched = Watched(arguments.engines, Path(state))
        try:
            for _ in range(arguments.times):
                for name in arguments.failures:
                    times[name].append(once(watched, FAILURES[name]))
        finally:
            watched.agent.stop()
    print("| failure | times | median s | worst s |\n|---|---|---|---|")
    for name, found in times.items():
        print(f"| {name} | {len(found)} | {statistics.median(found):.2f} | {max(found):.2f} |")
    print(f"load average (1, 5, 15 min): {before} before, {load()} after; {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
