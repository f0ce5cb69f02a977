"""What a worker process costs: the same engine in this process and in a worker, in turns: A B A B ...

Each turn is a block of inferences on the same picture, so that the caches are warm as in service; the tax is
the difference of the medians of a pair of blocks. The plain round trip without an inference is told too.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from edgeagent.bundle.reading import open_bundle
from edgeagent.detection.candidates import find_candidates
from edgeagent.engines.engine import Buffers, Engine
from edgeagent.engines.loading import load_on
from edgeagent.files.resources import default_bundle
from edgeagent.worker.engine import WorkerEngine
from edgeagent.worker.protocol import LoadRequest


def block(engine: Engine, buffers: Buffers, count: int) -> float:
    """Return the median milliseconds of so many inferences in a row."""
    times = []
    for _ in range(count):
        started = time.perf_counter_ns()
        engine.infer(buffers.inputs, buffers.outputs)
        times.append((time.perf_counter_ns() - started) / 1e6)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, default=default_bundle())
    parser.add_argument("--engine", default="onnxruntime-cpu", help="name in the catalogue")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--block", type=int, default=25, help="inferences in a turn")
    arguments = parser.parse_args()
    bundle = open_bundle(arguments.bundle)
    candidate = find_candidates(bundle.manifest, [arguments.engine])[0]
    path = bundle.artefact_path(candidate.artefact)
    here = load_on(candidate.delegate, path, arguments.threads)
    there = WorkerEngine(LoadRequest(path, candidate.delegate, arguments.threads))
    ours, theirs = here.allocate(), there.allocate()
    random = np.random.default_rng(0)
    ours.inputs[0][...] = random.integers(0, 100, ours.inputs[0].shape)
    theirs.inputs[0][...] = ours.inputs[0]
    pairs = [
        (block(here, ours, arguments.block), block(there, theirs, arguments.block))
        for _ in range(1 + arguments.rounds)
    ][1:]
    trips = []
    for _ in range(1000):
        started = time.perf_counter_ns()
        there.ping()
        trips.append((time.perf_counter_ns() - started) / 1e6)
    there.close()
    here.close()
    alone, isolated = (sorted(times) for times in zip(*pairs, strict=True))
    taxes = sorted(one - other for other, one in pairs)
    quarter = len(taxes) // 4
    print(f"{candidate.name}, {arguments.threads} threads, {arguments.rounds} rounds of {arguments.block}:")
    print(f"here p50 {statistics.median(alone):.2f} ms, in a worker p50 {statistics.median(isolated):.2f} ms")
    print(
        f"tax p50 {statistics.median(taxes):.3f} ms (quartiles {taxes[quarter]:.3f} to "
        f"{taxes[-quarter - 1]:.3f}); round trip alone p50 {statistics.median(trips):.3f} ms"
    )


if __name__ == "__main__":
    main()
