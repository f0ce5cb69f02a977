"""An engine in a process of its own, and what it does when that process does not."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import resource
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import psutil
import pytest

from edgeagent.engines.delegates import Delegate, find_delegates
from edgeagent.engines.loading import load_on
from edgeagent.errors import EngineError
from edgeagent.worker.engine import SLOTS, WorkerDiedError, WorkerEngine, WorkerHungError
from edgeagent.worker.protocol import LoadRequest
from edgeagent.worker.shared_buffers import ALIGNMENT
from tests.engines import onnx_graphs as graphs
from tests.included import QUICK_BUNDLE

PATIENCE_S = 60.0
RANDOM = np.random.default_rng(3)


def delegate(name: str = "onnxruntime-cpu") -> Delegate:
    (found,) = find_delegates(name)
    return found


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return graphs.sum_and_product(tmp_path / "m.onnx")


@pytest.fixture
def worker(model: Path) -> Iterator[WorkerEngine]:
    engine = WorkerEngine(LoadRequest(model, delegate(), 1))
    yield engine
    engine.close()


def fill(engine: WorkerEngine) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    buffers = engine.allocate()
    for buffer in buffers.inputs:
        buffer[...] = RANDOM.normal(size=buffer.shape)
    return tuple(buffers.inputs), tuple(buffers.outputs)


@pytest.mark.parametrize(
    ("name", "file"),
    [("onnxruntime-cpu", "model.onnx"), ("openvino-cpu", "model.onnx"), ("tflite-xnnpack", "model.tflite")],
)
def test_it_computes_what_the_engine_computes_in_this_process(name: str, file: str) -> None:
    path = QUICK_BUNDLE / file
    here = load_on(delegate(name), path, 1)
    there = WorkerEngine(LoadRequest(path, delegate(name), 1))
    try:
        assert (there.inputs, there.outputs) == (here.inputs, here.outputs)
        assert there.facts.delegate == here.facts.delegate
        assert there.facts.placed == here.facts.placed == 1.0
        ours, theirs = here.allocate(), there.allocate()
        theirs.inputs[0][...] = RANDOM.integers(0, 100, theirs.inputs[0].shape)
        ours.inputs[0][...] = theirs.inputs[0]
        here.infer(ours.inputs, ours.outputs)
        there.infer(theirs.inputs, theirs.outputs)
        for one, other in zip(ours.outputs, theirs.outputs, strict=True):
            np.testing.assert_array_equal(one, other)
    finally:
        there.close()
        here.close()


def test_every_set_of_buffers_works_and_so_do_buffers_of_others(worker: WorkerEngine) -> None:
    sets = [fill(worker) for _ in range(SLOTS + 2)]  # the last two are of this process's own memory
    for inputs, outputs in sets:
        worker.infer(inputs, outputs)
    for inputs, outputs in sets:
        np.testing.assert_allclose(outputs[0], inputs[0] + inputs[1], rtol=1e-6)
        np.testing.assert_allclose(outputs[1], inputs[0] * inputs[1], rtol=1e-6)
    for inputs, outputs in sets[:SLOTS]:
        assert all(array.ctypes.data % ALIGNMENT == 0 for array in (*inputs, *outputs))


def test_inputs_of_one_set_and_outputs_of_another_are_no_trap(worker: WorkerEngine) -> None:
    (inputs, _), (_, outputs) = fill(worker), fill(worker)
    worker.infer(inputs, outputs)
    np.testing.assert_allclose(outputs[0], inputs[0] + inputs[1], rtol=1e-6)


def test_what_cannot_be_loaded_is_told_as_by_the_engine(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(EngineError, match="cannot load it") as caught:
        WorkerEngine(LoadRequest(path, delegate(), 1))
    assert str(caught.value).startswith(f"{path}: ")


def test_a_worker_that_is_killed_is_told_with_its_signal(worker: WorkerEngine) -> None:
    buffers = fill(worker)
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerDiedError, match="died of SIGKILL"):
        worker.infer(*buffers)
    with pytest.raises(WorkerDiedError, match="died of SIGKILL"):
        worker.ping()
    buffers[0][0][...] = 1  # the memory is still there


def test_a_worker_that_does_not_answer_is_killed(model: Path) -> None:
    engine = WorkerEngine(LoadRequest(model, delegate(), 1), deadline_s=0.2)
    buffers, process = fill(engine), psutil.Process(engine.pid)
    engine.ping()
    process.suspend()
    with pytest.raises(WorkerHungError, match=r"no answer within 0\.2 s of a call; worker killed"):
        engine.infer(*buffers)
    assert not process.is_running()
    engine.close()


def test_an_error_of_the_engine_leaves_the_worker_as_it_was(tmp_path: Path) -> None:
    engine = WorkerEngine(LoadRequest(graphs.fails_when_run(tmp_path / "m.onnx"), delegate(), 1))
    try:
        for _ in range(2):
            with pytest.raises(EngineError, match="failed while running") as caught:
                engine.infer((np.array([7], np.float32),), engine.allocate().outputs)
            assert type(caught.value) is EngineError
        engine.ping()
    finally:
        engine.close()


def test_another_version_below_a_running_agent_is_told(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeagent.worker.engine.__version__", "0.0.1-old")
    with pytest.raises(EngineError, match=r"this agent is version 0\.0\.1-old.*restart the agent"):
        WorkerEngine(LoadRequest(model, delegate(), 1))


def test_processors_and_niceness_are_taken(model: Path) -> None:
    first = min(os.sched_getaffinity(0))
    engine = WorkerEngine(LoadRequest(model, delegate(), 1, cpus=(first,), nice=3))
    try:
        assert os.sched_getaffinity(engine.pid) == {first}
        assert os.getpriority(os.PRIO_PROCESS, engine.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 3
    finally:
        engine.close()


def test_closing_ends_the_process(worker: WorkerEngine) -> None:
    process = psutil.Process(worker.pid)
    worker.close()
    assert not process.is_running()
    with pytest.raises(EngineError, match="the worker was closed"):
        worker.ping()


def test_closing_ends_calls_in_a_worker_that_hangs(model: Path) -> None:
    """Long before their deadline."""
    worker = WorkerEngine(LoadRequest(model, delegate(), 1), deadline_s=10 * PATIENCE_S)
    buffers = worker.allocate()
    os.kill(worker.pid, signal.SIGSTOP)
    call = worker.begin(buffers.inputs, buffers.outputs)
    errors: Queue[EngineError] = Queue()

    def wait() -> None:
        try:
            call.wait()
        except EngineError as error:
            errors.put(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    worker.close()
    assert "the worker was closed" in str(errors.get(timeout=PATIENCE_S))
    waiter.join()
    assert not psutil.pid_exists(worker.pid)


def test_workers_that_came_and_went_leave_nothing_open(model: Path) -> None:
    """A delegate that fails every few minutes must not cost memory and descriptors each time."""
    own, before = psutil.Process(), 0
    for number in range(4):
        engine = WorkerEngine(LoadRequest(model, delegate(), 1))
        engine.infer(*fill(engine))
        if number % 2:
            os.kill(engine.pid, signal.SIGKILL)
            with pytest.raises(WorkerDiedError):
                engine.infer(*fill(engine))
        engine.close()
        del engine
        gc.collect()
        before = before or own.num_fds()
    assert own.num_fds() == before
    assert sum("edgeagent-slots" in mapped.path for mapped in own.memory_maps()) == 0


def test_memory_of_a_dead_worker_goes_without_the_cyclic_collector(model: Path) -> None:
    own = psutil.Process()
    gc.collect()
    gc.disable()
    try:
        engine = WorkerEngine(LoadRequest(model, delegate(), 1))
        buffers = fill(engine)
        os.kill(engine.pid, signal.SIGKILL)
        with contextlib.suppress(WorkerDiedError):  # pytest.raises would keep the frames
            engine.infer(*buffers)
        del buffers
        engine.close()
        assert sum("edgeagent-slots" in mapped.path for mapped in own.memory_maps()) == 0
    finally:
        gc.enable()
    with pytest.raises(WorkerDiedError):
        engine.infer(*fill(engine))


def no_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")


def no_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")


def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)


def no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    used = psutil.Process().num_fds()
    monkeypatch.setattr(tempfile, "TemporaryFile", partial(limited, used + 1, tempfile.TemporaryFile))


def limited(count: int, function: Callable[[], Any]) -> Any:
    """Call a function, and let this process have no more than ``count`` descriptors afterwards."""
    result = function()
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return result


@pytest.mark.parametrize("lack", [no_temporary_folder, no_interpreter, no_process, no_descriptor])
def test_a_worker_that_cannot_be_started_is_an_engine_error(
    lack: Callable[[pytest.MonkeyPatch], None], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, limits = psutil.Process(), resource.getrlimit(resource.RLIMIT_NOFILE)
    before = own.num_fds()
    lack(monkeypatch)
    try:
        with pytest.raises(EngineError, match="a worker process cannot be started"):
            WorkerEngine(LoadRequest(model, delegate(), 1))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert own.num_fds() == before


def test_the_worker_dies_with_its_agent(model: Path) -> None:
    program = f"""
        from pathlib import Path
        from edgeagent.engines.delegates import find_delegates
        from edgeagent.worker.engine import WorkerEngine
        from edgeagent.worker.protocol import LoadRequest
        request = LoadRequest(Path({str(model)!r}), find_delegates("onnxruntime-cpu")[0], 1)
        print(WorkerEngine(request).pid, flush=True)
        input()
    """
    agent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert agent.stdout is not None
    worker = psutil.Process(int(agent.stdout.readline()))
    agent.kill()
    agent.communicate()
    worker.wait(timeout=10)


def test_a_worker_has_no_network() -> None:
    program = """
        import socket
        from edgeagent.worker.sandbox import give_up_network
        assert give_up_network()
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                socket.socket(family)
            except PermissionError:
                print("refused")
        socket.socket(socket.AF_UNIX).close()
        socket.socketpair()
        print("local")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["refused", "refused", "local"]


def test_a_worker_has_no_io_uring() -> None:
    program = """
        import ctypes, os
        from edgeagent.worker.sandbox import give_up_network
        assert give_up_network()
        libc = ctypes.CDLL(None, use_errno=True)
        for call in (425, 426, 427):
            assert libc.syscall(call, 4, ctypes.create_string_buffer(120)) == -1
            print(os.strerror(ctypes.get_errno()))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["Function not implemented"] * 3


def test_memory_that_is_not_there_is_told() -> None:
    program = """
        import resource
        from edgeagent.engines.engine import TensorSpec
        from edgeagent.worker.shared_buffers import SharedBuffers
        import numpy as np
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))  # shared memory is a file to the kernel
        SharedBuffers((TensorSpec("x", (2**20,), np.dtype(np.uint8)),), (), 8)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False
    )
    assert "EngineError: cannot " in done.stderr
