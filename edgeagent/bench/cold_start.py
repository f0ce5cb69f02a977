"""Loading a candidate in a fresh process: time to load, first inference, memory, and whether it survives.

A process that has had other engines in it would give none of these: packages are imported once, and what one
engine leaves in the allocator the next one finds. And an engine that takes its process down takes this one.

Run as ``python -m edgeagent.bench.cold_start`` with the candidate as JSON; prints the result as JSON.
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
from edgeagent.errors import EdgeagentError, EngineError

DEADLINE_S = 300.0
MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class ColdStart:
    """What a fresh process found.

    Attributes:
        load_ms: loading the artefact, as the engine times it: without importing its package.
        first_ms: the first inference.
        rss_mb: resident memory after that.
        growth_mb: by how much it grew, the engine's package included.
    """

    load_ms: float
    first_ms: float
    rss_mb: float
    growth_mb: float


def cold_start(candidate: MeasuredCandidate, threads: int, deadline_s: float = DEADLINE_S) -> ColdStart:
    """Load a candidate in a process of its own and run it once.

    Raises:
        EngineError: it does not load or run, takes its process down, or is not done in time.
    """
    plain: dict[str, Any] = {**asdict(candidate), "threads": threads}
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
        last = (done.stderr.splitlines() or ["without a word"])[-1]
        raise EngineError(f"{candidate.name} ended its process: {last}") from None
    if "error" in found:
        raise EngineError(str(found["error"]))
    return ColdStart(**found)


def main() -> None:
    """Load what the command line says, run it once and print the result."""
    plain = json.loads(sys.argv[1])
    threads = plain.pop("threads")
    plain["bundle"] = Path(plain["bundle"])
    plain["description"] = plain["description"] and Path(plain["description"])
    try:
        found = asdict(_probe(MeasuredCandidate(**plain), threads))
    except EdgeagentError as error:
        found = {"error": str(error)}
    sys.stdout.write(json.dumps(found) + "\n")


def _probe(candidate: MeasuredCandidate, threads: int) -> ColdStart:
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
