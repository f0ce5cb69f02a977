"""What serving costs: the engine in its worker, and Frigate's ZMQ protocol before it, in turns: A B A B ...

Four blocks a round, on the same worker and the same picture: ``engine`` calls the engine in its worker,
``detect`` adds the input buffer, decoding and suppression, ``zmq`` is the round trip of a client in another
process, as Frigate is; ``transport`` is the round trip of a message of the same size that is refused, so that
no detector is asked. From each call the time is subtracted that the engine worked in that very call, so
that what else the machine does to the engine is not taken for overhead.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import zmq

from edgeagent.bundle.reading import open_bundle
from edgeagent.detection.detector import Detector
from edgeagent.detection.ranking import rank_delegates
from edgeagent.detection.serving import ServingDetector
from edgeagent.engines.engine import Array, Engine
from edgeagent.files.resources import find_bundle, sample_clip
from edgeagent.imaging.frame import Image
from edgeagent.serve.endpoints import zmq_endpoint
from edgeagent.serve.inference_queue import InferenceQueue
from edgeagent.serve.raw_detector import RawDetector
from edgeagent.serve.zmq_server import ZmqServer

SCORE = 0.4
Block = list[tuple[float, float]]
"""Milliseconds of each call, and those that the engine worked in it."""


class TimedEngine:
    """The engine, which keeps how long each call of it worked, in milliseconds."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self.worked_ms = engine, list[float]()

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """Run once."""
        self.worked_ms.append(self._engine.begin(inputs, outputs).wait() / 1e6)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


class OneServing:
    """Stands for the serving detector, with the timed engine in its detector."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def current(self, _: float) -> Detector:
        """Return the detector."""
        return self._detector

    def wait_turn(self) -> None:
        """Do nothing."""

    def worked(self, detector: Detector) -> None:
        """Do nothing."""


def time_calls(call: Callable[[], object], count: int) -> list[float]:
    """Return the milliseconds of so many calls in a row."""
    times = []
    for _ in range(count):
        started = time.perf_counter_ns()
        call()
        times.append((time.perf_counter_ns() - started) / 1e6)
    return times


def picture(width: int, height: int) -> Image:
    """Return the first frame of the sample clip at the size of the input."""
    return np.ascontiguousarray(cv2.resize(cv2.VideoCapture(str(sample_clip())).read()[1], (width, height)))


def be_client(address: str, width: int, height: int) -> None:
    """Ask as each line of standard input says (number of calls, dtype), and print their times as JSON."""
    socket = zmq.Context.instance().socket(zmq.REQ)
    socket.connect(address)
    tensor = picture(width, height)

    def ask(dtype: str) -> None:
        header = json.dumps({"shape": [1, *tensor.shape], "dtype": dtype, "model_type": "ssd"}).encode()
        socket.send_multipart([header, memoryview(tensor.tobytes())])
        if np.frombuffer(socket.recv_multipart()[0], np.float32).any() != (dtype == "uint8"):
            raise SystemExit("an answer without objects: the server was too busy")

    for line in sys.stdin:
        count, dtype = line.split()
        print(json.dumps(time_calls(partial(ask, dtype), int(count))), flush=True)


def report(name: str, values: Sequence[float]) -> None:
    """Print the median and other percentiles."""
    tenth, low, middle, high = (np.percentile(values, share) for share in (10, 25, 50, 75))
    print(f"{name}: median {middle:.3f} ms (quartiles {low:.3f} to {high:.3f}, lowest tenth {tenth:.3f})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, help="bundle, or name of an included one")
    parser.add_argument("--engine", default="auto", help="auto, or names as in model.engine")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bind", default="tcp://127.0.0.1:0", help="endpoint to measure")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--block", type=int, default=20, help="calls in a block")
    parser.add_argument("--client", nargs=3, metavar=("ADDRESS", "WIDTH", "HEIGHT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client:
        be_client(arguments.client[0], *map(int, arguments.client[1:]))
        return
    bundle = open_bundle(find_bundle(arguments.bundle))
    with tempfile.TemporaryDirectory() as state:
        ranked = rank_delegates(bundle, arguments.engine, threads=arguments.threads, state=Path(state))
        serving = ServingDetector(ranked)
        candidate, detector = serving.candidate, serving.current(60)
        if candidate is None or detector is None:
            raise SystemExit("no engine serves")
        engine = TimedEngine(detector.engine)
        timed = replace(cast("Detector", detector), engine=cast("Engine", engine))
        raw = RawDetector(cast("ServingDetector", OneServing(timed)), SCORE)
        queue = InferenceQueue(raw.detect)
        server = ZmqServer(zmq_endpoint(arguments.bind), bundle.manifest, queue)
        queue.start()
        server.start()
        blocks = measure(timed, engine, server.address, arguments)
        server.stop(1)
        queue.stop(1)
        serving.stop()
    print(f"{candidate.name}, {arguments.threads} threads, {server.address}")
    print(f"{arguments.rounds} rounds of {arguments.block} calls of each kind, in turns")
    for name, block in blocks.items():
        report(f"{name}: whole call", [whole for whole, _ in block])
        report(f"{name}: without the engine's work", [whole - worked for whole, worked in block])
    rest = {
        name: statistics.median(whole - worked for whole, worked in block) for name, block in blocks.items()
    }
    whole = {name: statistics.median(whole for whole, _ in block) for name, block in blocks.items()}
    print(f"overhead of zmq over the engine in its worker: {rest['zmq'] - rest['engine']:.3f} ms")
    print(f"  of which protocol and queue: {rest['zmq'] - rest['detect']:.3f} ms")
    print(f"ratio of the medians, zmq : engine: {whole['zmq'] / whole['engine']:.3f}")


def measure(
    detector: Detector, engine: TimedEngine, address: str, arguments: argparse.Namespace
) -> dict[str, Block]:
    """Return the calls of all rounds but the first, by kind."""
    spec, count = detector.description.input, arguments.block
    image = picture(spec.width, spec.height)
    raw = RawDetector(cast("ServingDetector", OneServing(detector)), SCORE)
    buffers = detector.allocate()
    detector.preprocessor.write(image, buffers.inputs[0])
    command = [sys.executable, __file__, "--client", address, str(spec.width), str(spec.height)]
    blocks: dict[str, Block] = {"engine": [], "detect": [], "transport": [], "zmq": []}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        sent, received = cast("Any", client.stdin), cast("Any", client.stdout)

        def ask_client(dtype: str) -> list[float]:
            sent.write(f"{count} {dtype}\n")
            sent.flush()
            return list(json.loads(received.readline()))

        kinds: dict[str, Callable[[], list[float]]] = {
            "engine": lambda: time_calls(lambda: engine.infer(buffers.inputs, buffers.outputs), count),
            "detect": lambda: time_calls(lambda: raw.detect(image), count),
            "transport": lambda: ask_client("float32"),
            "zmq": lambda: ask_client("uint8"),
        }
        for number in range(1 + arguments.rounds):
            for name, run in kinds.items():
                engine.worked_ms.clear()
                times = run()
                block = list(zip(times, engine.worked_ms or [0.0] * count, strict=True))
                if number:
                    blocks[name] += block
        sent.close()
    return blocks


if __name__ == "__main__":
    main()
