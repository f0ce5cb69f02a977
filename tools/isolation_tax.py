"""What a worker process costs: the same engine in this process and in a worker, call by call in turn.

Each round runs one inference here and one there on the same picture; the tax is the difference of the two.
Nothing else should run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from edgeagent.bundle.reading import open_bundle
from edgeagent.resources import default_bundle
from edgeagent.runtime.candidates import find_candidates
from edgeagent.runtime.engine import Buffers, Engine
from edgeagent.runtime.loading import load_on
from edgeagent.runtime.worker import WorkerEngine
from edgeagent.runtime.worker_protocol import Order

WARM_UP = 20


def timed(engine: Engine, buffers: Buffers) -> float:
    """Return the milliseconds of one inference."""
    started = time.perf_counter_ns()
    engine.infer(buffers.inputs, buffers.outputs)
    return (time.perf_counter_ns() - started) / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    parser.add_argument("--engine", default="onnxruntime-cpu", help="name in the catalogue")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=500)
    arguments = parser.parse_args()
    bundle = open_bundle(arguments.bundle)
    candidate = find_candidates(bundle.manifest, [arguments.engine])[0]
    path = bundle.artefact_path(candidate.artefact)
    here = load_on(candidate.delegate, path, arguments.threads)
    there = WorkerEngine(Order(path, candidate.delegate, arguments.threads))
    ours, theirs = here.allocate(), there.allocate()
    random = np.random.default_rng(0)
    ours.inputs[0][...] = random.integers(0, 100, ours.inputs[0].shape)
    theirs.inputs[0][...] = ours.inputs[0]
    pairs = [(timed(here, ours), timed(there, theirs)) for _ in range(WARM_UP + arguments.rounds)][WARM_UP:]
    there.close()
    here.close()
    alone, isolated = (sorted(times) for times in zip(*pairs, strict=True))
    taxes = sorted(one - other for other, one in pairs)
    quarter = len(taxes) // 4
    print(
        f"{candidate.name}, {arguments.threads} threads, {arguments.rounds} rounds: here p50 "
        f"{statistics.median(alone):.2f} ms, in a worker p50 {statistics.median(isolated):.2f} ms; tax p50 "
        f"{statistics.median(taxes):.3f} ms (quartiles {taxes[quarter]:.3f} to {taxes[-quarter]:.3f})"
    )


if __name__ == "__main__":
    main()
