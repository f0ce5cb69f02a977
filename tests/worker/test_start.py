"""A worker that is started ahead of its request is the first that is given out, while it can be."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgeagent.engines.delegates import find_delegates
from edgeagent.worker.engine import WorkerEngine
from edgeagent.worker.protocol import LoadRequest
from edgeagent.worker.start import StartedWorker, end_ahead, start_ahead, start_worker
from tests.engines import onnx_graphs as graphs
from tests.worker.running import running_workers


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    yield
    end_ahead()
    assert running_workers() == []


def test_the_first_request_gets_it_and_the_next_one_another(tmp_path: Path) -> None:
    start_ahead()
    (ahead,) = running_workers()
    (delegate,) = find_delegates("onnxruntime-cpu")
    request = LoadRequest(graphs.sum_and_product(tmp_path / "m.onnx"), delegate, 1)
    first, second = WorkerEngine(request), WorkerEngine(request)
    try:
        assert first.pid == ahead.pid != second.pid
        for engine in (first, second):
            buffers = engine.allocate()
            for one in buffers.inputs:
                one[...] = np.ones(one.shape, one.dtype)
            engine.infer(buffers.inputs, buffers.outputs)
    finally:
        first.close()
        second.close()


def test_one_that_has_died_is_not_given_out() -> None:
    start_ahead()
    (ahead,) = running_workers()
    ahead.kill()
    os.waitid(os.P_PID, ahead.pid, os.WEXITED | os.WNOWAIT)  # it stays for its parent to see
    found = start_worker()
    assert found.process.pid != ahead.pid
    found.end()


def test_one_that_ends_with_another_thread_is_not_given_out() -> None:
    thread = threading.Thread(target=start_ahead)
    thread.start()
    thread.join()
    found = start_worker()
    assert found.usable
    assert len(running_workers()) == 1
    found.end()


def test_one_whose_parent_closes_the_socket_ends_by_itself_without_a_word() -> None:
    found: StartedWorker = start_worker()
    found.socket.close()
    assert found.process.wait(60) == 0
    found.stderr.seek(0)
    assert found.stderr.read() == b""
    found.stderr.close()


def test_none_can_be_started_and_the_request_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    start_ahead()
    assert running_workers() == []
    with pytest.raises(OSError, match="nonexistent"):
        start_worker()
