"""A starved worker is not a hung one: the decision on recorded values, and on real workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeagent.engines.delegates import find_delegates
from edgeagent.worker.engine import WorkerEngine, WorkerHungError
from edgeagent.worker.protocol import LoadRequest
from edgeagent.worker.run_state import RunState, ThreadState
from edgeagent.worker.starvation import LEAST_BOUND_S, TICK_S, DeadlineWatch, Verdict, deprived_s
from tests.engines import onnx_graphs as graphs

Threads = Callable[[float], dict[int, ThreadState]]
"""Threads of a worker after so many seconds of waiting."""


def sleeping(at: float) -> dict[int, ThreadState]:
    return {1: ThreadState("S", 0.4, 0.01), 2: ThreadState("S", 0.1, 0.0)}


def stopped(at: float) -> dict[int, ThreadState]:
    return {1: ThreadState("T", 0.4, 0.01)}


def in_a_driver(at: float) -> dict[int, ThreadState]:
    return {1: ThreadState("D", 0.4, 0.01)}


def spinning(at: float) -> dict[int, ThreadState]:
    return {1: ThreadState("S", 0.4, 0.0), 2: ThreadState("R", at, 0.0)}


def queued(at: float) -> dict[int, ThreadState]:
    """Return a worker that waits in the run queue all the time, which the kernel has not counted yet."""
    return {1: ThreadState("S", 0.4, 0.0), 2: ThreadState("R", 0.1, 0.0)}


def spinning_at_a_fifth(at: float) -> dict[int, ThreadState]:
    return {1: ThreadState("R", at / 5, at * 4 / 5)}


def preempted_between_naps(at: float) -> dict[int, ThreadState]:
    return {1: ThreadState("S", at / 100, at * 0.9)}


def gone(at: float) -> dict[int, ThreadState]:
    return {}


def outcome(threads: Threads, deadline_s: float, stall: float = 0.0) -> tuple[Verdict, float]:
    """Return the verdict on a worker that never answers, and after how many seconds."""
    patience, at = DeadlineWatch(deadline_s), 0.0
    while True:
        step = patience.next_wait_s
        at += step
        verdict = patience.verdict(step, RunState(100 + at, threads(at), stall * at))
        if verdict != "wait":
            return verdict, at


@pytest.mark.parametrize("threads", [sleeping, stopped, in_a_driver, spinning, gone])
@pytest.mark.parametrize("deadline_s", [0.05, 0.5, 5.0])
def test_what_could_have_worked_is_hung_after_its_deadline(threads: Threads, deadline_s: float) -> None:
    verdict, after = outcome(threads, deadline_s)
    assert verdict == "hung"
    assert after == pytest.approx(deadline_s, abs=0.07)


def test_what_gets_no_processor_is_waited_for_up_to_a_bound() -> None:
    verdict, after = outcome(queued, 0.5)
    assert verdict == "starved"
    assert after == pytest.approx(LEAST_BOUND_S, abs=2 * TICK_S)
    verdict, after = outcome(queued, 30.0)
    assert verdict == "starved"
    assert after == pytest.approx(300.0, abs=2 * TICK_S)


def test_what_spins_with_a_share_of_a_processor_is_hung_after_the_deadline_in_processor_time() -> None:
    verdict, after = outcome(spinning_at_a_fifth, 0.5)
    assert verdict == "hung"
    assert after == pytest.approx(2.5, abs=0.5)


def test_time_in_the_run_queue_counts_also_when_the_worker_sleeps_now() -> None:
    verdict, after = outcome(preempted_between_naps, 0.5)
    assert verdict == "hung"
    assert after == pytest.approx(4.5, abs=1.0)


def test_waiting_for_pages_counts_as_far_as_the_machine_tells() -> None:
    verdict, after = outcome(in_a_driver, 0.5, stall=0.9)
    assert verdict == "hung"
    assert after == pytest.approx(4.5, abs=1.0)


def test_a_frozen_agent_counts_one_step_only() -> None:
    patience = DeadlineWatch(0.5)
    assert patience.verdict(0.1, RunState(100.0, sleeping(0))) == "wait"
    assert patience.verdict(0.1, RunState(400.0, sleeping(0))) == "wait"
    assert patience.waited_s == pytest.approx(0.1)


def test_the_thread_that_was_held_up_longest_counts() -> None:
    before = {1: ThreadState("S", 1.0, 1.0), 2: ThreadState("R", 5.0, 0.0), 3: ThreadState("S", 0.0, 0.0)}
    now = {1: ThreadState("S", 1.0, 1.02), 2: ThreadState("R", 5.03, 0.0), 4: ThreadState("R", 0.0, 9.0)}
    assert deprived_s(RunState(1.0, before), RunState(1.1, now)) == pytest.approx(0.07)
    assert deprived_s(RunState(1.0, before), RunState(1.1, {})) == 0.0


@pytest.fixture
def busy() -> Iterator[int]:
    """A processor with more work than it can do; its number."""
    processor = min(os.sched_getaffinity(0))
    program = f"import os; os.sched_setaffinity(0, [{processor}])\nwhile True: pass"
    loops = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(6)]
    yield processor
    for loop in loops:
        loop.kill()
        loop.wait()


def test_a_worker_among_busy_loops_is_not_killed(tmp_path: Path, busy: int) -> None:
    (delegate,) = find_delegates("onnxruntime-cpu")
    worker = WorkerEngine(LoadRequest(graphs.sum_and_product(tmp_path / "m.onnx"), delegate, 1), 0.02)
    try:
        buffers = worker.allocate()
        os.sched_setaffinity(worker.pid, [busy])
        os.setpriority(os.PRIO_PROCESS, worker.pid, 19)
        for _ in range(20):
            worker.infer(buffers.inputs, buffers.outputs)
    finally:
        worker.close()


def test_a_worker_that_is_stopped_among_busy_loops_is_hung(tmp_path: Path, busy: int) -> None:
    (delegate,) = find_delegates("onnxruntime-cpu")
    worker = WorkerEngine(LoadRequest(graphs.sum_and_product(tmp_path / "m.onnx"), delegate, 1), 0.2)
    buffers = worker.allocate()
    os.sched_setaffinity(worker.pid, [busy])
    os.kill(worker.pid, signal.SIGSTOP)
    with pytest.raises(WorkerHungError, match=r"no answer within 0\.2 s of a call"):
        worker.infer(buffers.inputs, buffers.outputs)
    worker.close()


def test_agent_and_worker_that_are_frozen_together_go_on(tmp_path: Path) -> None:
    program = f"""
        from pathlib import Path
        from edgeagent.engines.delegates import find_delegates
        from edgeagent.worker.engine import WorkerEngine
        from edgeagent.worker.protocol import LoadRequest
        request = LoadRequest(Path({str(graphs.sum_and_product(tmp_path / "m.onnx"))!r}),
                              find_delegates("onnxruntime-cpu")[0], 1)
        worker = WorkerEngine(request, 0.3)
        buffers = worker.allocate()
        print(worker.pid, flush=True)
        while True:
            worker.infer(buffers.inputs, buffers.outputs)
            print(worker.pid, flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    agent = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0, start_new_session=True)
    try:
        assert agent.stdout is not None
        for _ in range(5):
            worker = int(agent.stdout.readline())
            os.kill(worker, signal.SIGSTOP)  # first, so that the agent is within a call
            os.kill(agent.pid, signal.SIGSTOP)
            time.sleep(0.6)
            os.kill(agent.pid, signal.SIGCONT)
            os.kill(worker, signal.SIGCONT)
            os.read(agent.stdout.fileno(), 65536)
            agent.stdout.readline()  # the rest of a line
        assert agent.poll() is None
        assert int(agent.stdout.readline()) == worker
    finally:
        os.killpg(agent.pid, signal.SIGKILL)
        agent.wait()
        if agent.stdout is not None:
            agent.stdout.close()
