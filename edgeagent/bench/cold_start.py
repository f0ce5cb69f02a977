"""Cold start of a candidate in a fresh process: load time, first inference, memory, crashes.

A process that has run other engines cannot measure this: packages are imported only once, and allocators keep
freed memory. A separate process also contains an engine that crashes.

``python -m edgeagent.bench.cold_start`` takes the candidate as JSON and prints the result as JSON.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from edgeagent.bench.measured_candidates import MeasuredCandidate, load_candidate
from edgeagent.bundle.manifest import OutputSpec
from edgeagent.errors import EdgeagentError, EngineError

DEADLINE_S = 300.0
MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Measurements of a cold start.

    Attributes:
        load_ms: load time of the artefact in milliseconds, without the import of the engine's package.
        first_ms: duration of the first inference in milliseconds.
        rss_mb: resident memory after the first inference in MB (10^6 bytes).
        growth_mb: growth of the resident memory in MB, including the engine's package.
    """

    load_ms: float
    first_ms: float
    rss_mb: float
    growth_mb: float


def cold_start(candidate: MeasuredCandidate, threads: int, deadline_s: float = DEADLINE_S) -> ColdStart:
    """Load a candidate in a separate process and run it once.

    Args:
        candidate: artefact and delegate.
        threads: threads of the engine.
        deadline_s: maximum duration in seconds.

    Raises:
        EngineError: the candidate does not load or run, crashes its process, or exceeds the deadline.
    """
    outputs = [output.model_dump() for output in candidate.outputs]
    plain: dict[str, Any] = {**asdict(candidate), "outputs": outputs, "threads": threads}
    command = [sys.executable, "-m", "edgeagent.bench.cold_start", json.dumps(plain, default=str)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=deadline_s, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise EngineError(f"{candidate.name} was not loaded and run once within {deadline_s:g} s") from None
    if done.returncode < 0:
        raise EngineError(f"{candidate.name} took its process down ({signal.Signals(-done.returncode).name})")
    try:
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        last = (done.stderr.splitlines() or ["no error output"])[-1]
        raise EngineError(f"{candidate.name} ended its process: {last}") from None
    if "error" in found:
        raise EngineError(str(found["error"]))
    return ColdStart(**found)


def main() -> None:
    """Load the candidate of the command line, run it once and print the result."""
    plain = json.loads(sys.argv[1])
    threads = plain.pop("threads")
    plain["bundle"] = Path(plain["bundle"])
    for name in ("description", "model"):
        plain[name] = plain[name] and Path(plain[name])
    plain["outputs"] = tuple(OutputSpec.model_validate(output) for output in plain["outputs"])
    try:
        found = asdict(_measure(MeasuredCandidate(**plain), threads))
    except EdgeagentError as error:
        found = {"error": str(error)}
    sys.stdout.write(json.dumps(found) + "\n")


def _measure(candidate: MeasuredCandidate, threads: int) -> ColdStart:
    process = psutil.Process()
    before = process.memory_info().rss
    detector = load_candidate(candidate, threads, isolated=False)
    buffers = detector.allocate()
    started = time.perf_counter_ns()
    detector.engine.infer(buffers.inputs, buffers.outputs)
    first = time.perf_counter_ns() - started
    after = process.memory_info().rss
    return ColdStart(
        detector.engine.facts.load_s * 1000, first / 1e6, after / MEGABYTE, (after - before) / MEGABYTE
    )


if __name__ == "__main__":
    main()
