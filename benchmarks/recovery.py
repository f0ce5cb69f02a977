"""Recovery times: seconds without detection after a worker dies, hangs, or computes wrongly.

The agent plays the sample clip, unthrottled and again and again; then the engine that serves is made to
fail, and the time runs until the first result of the next. SIGKILL, SIGSEGV and SIGABRT end its worker,
SIGSTOP lets it hang, so that its deadline comes on top. For ``wrong`` the check by the golden pictures allows
nothing, so that it finds fault; the time runs from that check on. Back-off is that of the agent, so that most
faults meet candidates whose pause is not over. Kinds take turns.

Progress goes to standard error; the table, with the load average before and after, to standard output. Also
when the run is interrupted (Ctrl-C, SIGTERM) or fails, the table and ``--json`` hold what there is.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Queue

from edgeagent.daemon.agent import Agent
from edgeagent.detection.frame_result import Result
from edgeagent.detection.serving_state import Change
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


@dataclass(frozen=True)
class Recovery:
    """One failure and what followed.

    Attributes:
        failure: its kind.
        away_s: seconds from the failure to the first result of the next candidate.
        replaced_s: seconds of these that starting the next candidate took; the rest is noticing the failure.
        serving: candidate that served next.
    """

    failure: str
    away_s: float
    replaced_s: float
    serving: str | None


def once(watched: Watched, failure: str) -> Recovery:
    """Let what serves fail once, and wait until the next candidate detects."""
    watched.results(3)
    while not watched.changes.empty():
        watched.changes.get()
    began = time.monotonic()
    FAILURES[failure](watched)
    while (change := watched.changes.get(timeout=PATIENCE_S)).failure is None or change.serving is None:
        if change.failure is not None:
            tell(f"not detecting: {change.reason}")
    watched.results(1)
    away = time.monotonic() - began
    time.sleep(REST_S)
    return Recovery(failure, round(away, 3), change.took_s, change.serving)


def tell(text: str) -> None:
    """Print progress."""
    print(text, file=sys.stderr, flush=True)


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


def interrupt(*_: object) -> None:
    """End the measurement as Ctrl-C does."""
    raise KeyboardInterrupt


def measure(engines: str, times: int, failures: Sequence[str], found: list[Recovery]) -> None:
    """Append a recovery for each failure to ``found``."""
    with tempfile.TemporaryDirectory() as state:
        tell("measuring the engines")
        watched = Watched(engines, Path(state))
        try:
            for number in range(times):
                for name in failures:
                    one = once(watched, name)
                    found.append(one)
                    tell(
                        f"{number + 1}/{times} {name}: {one.away_s:.2f} s, then {one.serving}; load {load()}"
                    )
        finally:
            watched.agent.stop()


def report(found: Sequence[Recovery], failures: Sequence[str], loads: Mapping[str, str]) -> None:
    """Print the table."""
    print("| failure | times | median s | worst s | starting the next: median s | worst s |")
    print("|---|---|---|---|---|---|")
    for name in failures:
        ones = [one for one in found if one.failure == name]
        if not ones:
            print(f"| {name} | 0 | | | | |")
            continue
        away, replaced = [one.away_s for one in ones], [one.replaced_s for one in ones]
        cells = (statistics.median(away), max(away), statistics.median(replaced), max(replaced))
        print(f"| {name} | {len(ones)} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    print(
        f"load average (1, 5, 15 min): {loads['before']} before, {loads['after']} after; "
        f"{os.cpu_count()} processors",
        flush=True,
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", default="auto", help="first choice first")
    parser.add_argument("--times", type=int, default=50, help="of each failure")
    parser.add_argument("--json", type=Path, help="file for all recoveries")
    parser.add_argument("failures", nargs="*", default=list(FAILURES), help=", ".join(FAILURES))
    arguments = parser.parse_args()
    if unknown := set(arguments.failures) - set(FAILURES):
        parser.error(f"unknown failures: {', '.join(sorted(unknown))}; known are {', '.join(FAILURES)}")
    signal.signal(signal.SIGTERM, interrupt)
    loads, found, code = {"before": load()}, list[Recovery](), 1
    try:
        measure(arguments.engines, arguments.times, arguments.failures, found)
        code = 0
    except KeyboardInterrupt:
        tell("interrupted")
        code = 130
    finally:
        loads["after"] = load()
        report(found, arguments.failures, loads)
        if arguments.json is not None:
            content = {"load": loads, "recoveries": [asdict(one) for one in found]}
            arguments.json.write_text(json.dumps(content, indent=1))
    return code


if __name__ == "__main__":
    sys.exit(main())
