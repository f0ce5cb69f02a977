"""Calls that run side by side in a worker, and what happens when one of them crashes, hangs or is stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from queue import Queue

import numpy as np
import psutil
import pytest

from edgeagent.engines.delegates import CATALOGUE, external_delegate, find_delegates
from edgeagent.engines.engine import Array, Buffers, Call, Engine, EngineFacts, LoadedEngine, TensorSpec
from edgeagent.errors import EngineError
from edgeagent.worker.engine import WorkerDiedError, WorkerEngine, WorkerHungError
from edgeagent.worker.lanes import LaneEngines, Lanes, lane_threads
from edgeagent.worker.protocol import CALL, DONE, FAILED, LONGEST, PING, CallMessage, LoadRequest
from tests.engines import onnx_graphs as graphs

PATIENCE_S = 60.0
SPEC = TensorSpec("x", (1,), np.dtype(np.float32))
FOR_EVER = 1e15


class Doubling(LoadedEngine):
    """An engine that doubles its input, or does what ``work`` does."""

    def __init__(self, name: str, log: list[str], work: Callable[[], None] = lambda: None) -> None:
        self._inputs = self._outputs = (SPEC,)
        self._facts = EngineFacts("doubling", "1", "CPU", 1, 0.0)
        self._name, self._log, self.work = name, log, work

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        self._log.append(self._name)
        self.work()
        outputs[0][...] = 2 * inputs[0]

    def close(self) -> None:
        pass


class Served:
    """Lanes over a socket, as a worker has them."""

    def __init__(self, load: Callable[[], Engine], log: list[str], lanes: int = 2, waited: int = 0) -> None:
        self.log, self.alone = log, Doubling("alone", log)
        self.parent, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.parent.settimeout(PATIENCE_S)
        self.slots = tuple(self.alone.allocate() for _ in range(4))
        self.lanes = Lanes(child, self.slots, LaneEngines(self.alone, load, lanes, waited))
        self.thread = threading.Thread(target=self.lanes.serve)
        self.thread.start()

    def wait_loaded(self) -> None:
        ends = time.monotonic() + PATIENCE_S
        while self.lanes._loaded == 0:
            assert time.monotonic() < ends
            time.sleep(0.001)
        self.log.clear()

    def send(self, *numbers: int, kind: bytes = CALL) -> None:
        for number in numbers:
            self.slots[number].inputs[0][...] = number
            self.parent.send(CallMessage(kind, number, number).encode())

    def answers(self, count: int) -> dict[int, CallMessage]:
        found = [CallMessage.decode(self.parent.recv(LONGEST)) for _ in range(count)]
        return {answer.number: answer for answer in found}

    def hold_one(self) -> threading.Event:
        """Send call 0, which runs alone; return once it runs. It ends when the event is set."""
        entered, go_on = threading.Event(), threading.Event()

        def wait() -> None:
            entered.set()
            go_on.wait(PATIENCE_S)

        self.alone.work = wait
        self.send(0)
        assert entered.wait(PATIENCE_S)
        return go_on

    def end(self) -> None:
        self.parent.close()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


@pytest.mark.parametrize(
    ("threads", "expected"),
    [(1, (1, 1)), (2, (2, 1)), (3, (3, 1)), (4, (2, 2)), (5, (2, 2)), (6, (3, 2)), (8, (2, 4))],
)
def test_lanes_share_the_threads(threads: int, expected: tuple[int, int]) -> None:
    assert lane_threads(threads) == expected


def test_engines_of_lanes_are_loaded_only_when_calls_wait() -> None:
    log: list[str] = []
    loaded = threading.Event()

    def load() -> Engine:
        loaded.set()
        return Doubling("lane", log)

    served = Served(load, log, waited=3)
    for _ in range(5):
        served.send(1)
        served.answers(1)
    assert not loaded.is_set()
    for _ in range(3):
        go_on = served.hold_one()
        served.send(1, 2)  # both wait
        go_on.set()
        served.answers(3)
    assert loaded.wait(PATIENCE_S)
    served.end()


def test_a_worker_ends_without_the_engines_of_its_lanes() -> None:
    served = Served(lambda: pytest.fail("loaded"), [], waited=3)
    served.send(1)
    served.answers(1)
    served.end()


def meet(barrier: threading.Barrier) -> None:
    barrier.wait(PATIENCE_S)


def test_a_call_by_itself_runs_alone_and_calls_that_wait_run_at_once() -> None:
    log: list[str] = []
    both = threading.Barrier(2)
    engines = [Doubling("lane", log), Doubling("lane", log)]
    rest = iter(engines)
    served = Served(lambda: next(rest), log)
    served.wait_loaded()
    for engine in engines:
        engine.work = lambda: meet(both)  # ends only when both are within a call
    served.send(1)
    assert served.answers(1)[1].kind == DONE
    assert log == ["alone"]
    go_on = served.hold_one()
    served.send(1, 2)  # both wait when the first one is done
    go_on.set()
    assert {answer.kind for answer in served.answers(3).values()} == {DONE}
    assert log == ["alone", "alone", "lane", "lane"]
    assert [float(slot.outputs[0][0]) for slot in served.slots[:3]] == [0, 2, 4]
    served.send(3, kind=PING)
    assert served.answers(1)[3].kind == DONE
    served.end()


def test_an_error_of_one_lane_is_an_answer_and_no_end() -> None:
    log: list[str] = []
    served = Served(lambda: Doubling("lane", log), log)
    served.wait_loaded()

    def fail() -> None:
        raise EngineError("no")

    for engine in served.lanes._free:
        assert isinstance(engine, Doubling)
        engine.work = fail
    go_on = served.hold_one()
    served.send(1, 2)
    go_on.set()
    answers = served.answers(3)
    assert answers[0].kind == DONE
    assert FAILED in {answers[1].kind, answers[2].kind}  # the last one may find no other, and run alone
    served.send(3)
    assert served.answers(1)[3].kind == DONE
    served.end()


def cannot_load() -> Engine:
    raise EngineError("no memory")


def has_no_memory() -> Engine:
    raise MemoryError


class Wrong(Doubling):
    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        outputs[0][...] = 3 * inputs[0]


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        (cannot_load, "no memory"),
        (has_no_memory, "there is not enough memory"),
        (lambda: Wrong("lane", []), "output x depends on the number of threads"),
    ],
)
def test_without_right_engines_for_the_lanes_calls_run_one_after_the_other(
    load: Callable[[], Engine], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    log: list[str] = []
    served = Served(load, log)
    ends = time.monotonic() + PATIENCE_S
    while f"calls run one after the other: {reason}" not in caplog.text:
        assert time.monotonic() < ends
        time.sleep(0.001)
    served.send(0, 1, 2, 3)
    assert {answer.kind for answer in served.answers(4).values()} == {DONE}
    assert [float(slot.outputs[0][0]) for slot in served.slots] == [0, 2, 4, 6]
    assert set(log) == {"alone"}
    served.end()


def test_only_the_processor_runs_calls_side_by_side() -> None:
    names = {one.name for one in CATALOGUE if one.on_processor}
    openvino = {"openvino-cpu", "openvino-cpu-bf16", "openvino-cpu-f16"}
    assert names == {"onnxruntime-cpu", "tflite-xnnpack", *openvino}
    assert not external_delegate("/lib/any.so", {}).on_processor


def test_a_request_of_an_older_agent_is_read(tmp_path: Path) -> None:
    """It then hears of the other version, and not of a missing key."""
    request = LoadRequest(tmp_path / "m.onnx", find_delegates("onnxruntime-cpu")[0], 2)
    assert LoadRequest.decode(request.encode()) == request
    both = replace(request, side_by_side=True)
    assert LoadRequest.decode(both.encode()) == both
    message = json.loads(both.encode())
    del message["side_by_side"]
    assert LoadRequest.decode(json.dumps(message).encode()) == request


# The whole worker


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[WorkerEngine]:
    """A worker that counts, with two lanes that are in use."""
    (delegate,) = find_delegates("onnxruntime-cpu")
    request = LoadRequest(graphs.counts(tmp_path / "m.onnx"), delegate, 2, side_by_side=True)
    engine = WorkerEngine(request, deadline_s=1.0)
    sets = [engine.allocate() for _ in range(4)]
    steps, overtaken = 1000.0, False
    while not overtaken:  # the lanes are loaded when a short call is answered before a long one
        calls = [begin(engine, buffers, count) for buffers, count in zip(sets, (1, steps, 1, 1), strict=True)]
        calls[1].wait()
        overtaken = len(engine._answers) > 1
        for call in (calls[0], *calls[2:]):
            call.wait()
        steps = min(2 * steps, 1e5)
    engine._given = 0  # the sets are given again
    yield engine
    engine.close()


def begin(engine: WorkerEngine, buffers: Buffers, count: float) -> Call:
    buffers.inputs[0][...] = count
    return engine.begin(buffers.inputs, buffers.outputs)


def test_every_answer_belongs_to_its_call(worker: WorkerEngine) -> None:
    sets = [worker.allocate() for _ in range(4)]
    waiting: list[tuple[Call, Buffers, float]] = []
    for number in range(60):
        if len(waiting) == 4:
            call, buffers, wanted = waiting.pop(0)
            assert call.wait() > 0
            assert buffers.outputs[0][0] == wanted
        count = float(number * 37 % 101)
        buffers = sets[number % 4]
        waiting.append((begin(worker, buffers, count), buffers, count))
    for call, buffers, wanted in waiting:
        call.wait()
        assert buffers.outputs[0][0] == wanted


def test_a_crash_costs_the_calls_in_flight(worker: WorkerEngine) -> None:
    calls = [begin(worker, worker.allocate(), count) for count in (FOR_EVER, FOR_EVER, 1, 1)]
    os.kill(worker.pid, signal.SIGKILL)
    for call in calls:
        with pytest.raises(WorkerDiedError, match="died of SIGKILL"):
            call.wait()


def test_a_lane_that_hangs_is_found_while_another_answers(worker: WorkerEngine) -> None:
    calls = [begin(worker, worker.allocate(), count) for count in (FOR_EVER, 1, 1, 1)]
    with pytest.raises(WorkerHungError, match="no answer within 1 s of a call"):
        calls[0].wait()
    assert not psutil.pid_exists(worker.pid)


def test_a_worker_that_is_stopped_in_flight_is_found(worker: WorkerEngine) -> None:
    calls = [begin(worker, worker.allocate(), FOR_EVER) for _ in range(2)]
    os.kill(worker.pid, signal.SIGSTOP)
    for call in calls:
        with pytest.raises(WorkerHungError, match="no answer within 1 s of a call"):
            call.wait()


def test_closing_ends_calls_that_run_side_by_side(worker: WorkerEngine) -> None:
    calls = [begin(worker, worker.allocate(), FOR_EVER) for _ in range(3)]
    errors: Queue[str] = Queue()

    def wait() -> None:
        try:
            calls[0].wait()
        except EngineError as error:
            errors.put(str(error))

    waiter = threading.Thread(target=wait)
    waiter.start()
    worker.close()
    assert "the worker was closed" in errors.get(timeout=PATIENCE_S)
    waiter.join()
    assert not psutil.pid_exists(worker.pid)
