"""How long detection is away after an engine's worker dies, hangs, or computes wrongly.

The agent plays the sample clip, unthrottled and again and again, on the first choice; then that one is made
to fail, and the time runs until the first result of the next. ``kill`` sends SIGKILL, ``hang`` SIGSTOP. For
``wrong`` the check by the golden pictures allows nothing, so that it finds fault; the time runs from that
check on. The back-off is shortened, so that the first choice is back for the next round.
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

PATIENCE_S = 60.0
BACK_S = 0.1


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
        for candidate in serving._candidates:
            candidate.first_s = candidate.longest_s = candidate._wait_s = BACK_S
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
    """Let it fail, and return the seconds until the first result of the next candidate."""
    watched.results(3)
    began = time.monotonic()
    fail(watched)
    change = watched.changes.get(timeout=PATIENCE_S)
    if change.serving is None:
        raise RuntimeError(change.reason)
    watched.results(1)
    away = time.monotonic() - began
    if not change.best:
        watched.changes.get(timeout=PATIENCE_S)  # the first choice is back
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


FAILURES = {"kill": send(signal.SIGKILL), "hang": send(signal.SIGSTOP), "wrong": miscompute}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", default="onnxruntime-cpu, tflite-xnnpack", help="first choice first")
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("failures", nargs="*", default=list(FAILURES), help="kill, hang, wrong")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as state:
        watched = Watched(arguments.engines, Path(state))
        try:
            for name in arguments.failures:
                times = sorted(once(watched, FAILURES[name]) for _ in range(arguments.times))
                print(
                    f"{name}: {len(times)} times, away p50 {statistics.median(times):.2f} s, "
                    f"least {times[0]:.2f} s, worst {times[-1]:.2f} s",
                    flush=True,
                )
        finally:
            watched.agent.stop()


if __name__ == "__main__":
    main()
