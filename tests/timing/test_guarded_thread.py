"""A thread survives an exception that nobody expected."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgeagent
from edgeagent.timing import guarded_thread
from edgeagent.timing.guarded_thread import MOST_IN_A_ROW, Fault, GuardedThread, subscribe

WITHOUT_GUARD = {
    "bench/sampled_meter.py",  # of a command
    "demo/broker.py",  # of a command
    "daemon/cameras.py",  # ends with the agent
    "detection/pipeline.py",  # ends the agent with the error of the stage
    "datasets/picture_files.py",  # of a command; its errors are raised by the results
    "delivery/agent/probation.py",  # ends the process if its orderly end hangs
    "fleet/ingest/child.py",  # waits for one line of a process, and ends
    "fleet/ingest/supervised_process.py",  # waits for the end of the supervisor, and ends the process
    "fleet/oidc/bounded_adapter.py",  # closes one connection at its deadline, and ends
    "telemetry/sparkplug/node.py",  # sends one birth, and ends
    "telemetry/timed_http.py",  # closes one connection, and ends
    "web/first_visit.py",  # one search, whose error is its result
    "worker/lanes.py",  # ends its process with the trace: the agent sees it and starts another worker
}


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Fault]]:
    monkeypatch.setattr(guarded_thread, "FIRST_S", 0.01)
    monkeypatch.setattr(guarded_thread, "LONGEST_S", 0.02)
    found: list[Fault] = []
    end = subscribe(found.append)
    yield found
    end()


def test_a_part_is_run_again_and_its_fault_is_told(
    faults: list[Fault], caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[Exception] = [KeyError("k"), OSError(24, "Too many open files")]

    def part() -> None:
        if failures:
            raise failures.pop()

    thread = GuardedThread(part, "outbox")
    thread.start()
    thread.join()
    assert faults == [
        Fault("outbox", "OSError: [Errno 24] Too many open files", False),
        Fault("outbox", "KeyError: 'k'", False),
    ]
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert all(record.exc_info for record in caplog.records)


def test_a_vital_part_that_fails_again_and_again_is_fatal(faults: list[Fault]) -> None:
    def part() -> None:
        raise ValueError("always")

    thread = GuardedThread(part, "serving", vital=True)
    thread.start()
    thread.join()
    assert [fault.fatal for fault in faults] == [False] * MOST_IN_A_ROW + [True]


def test_any_other_part_is_run_for_ever(faults: list[Fault]) -> None:
    ended = threading.Event()

    def part() -> None:
        if not ended.is_set():
            raise ValueError("always")

    thread = GuardedThread(part, "pictures")
    thread.start()
    while len(faults) <= MOST_IN_A_ROW + 2:
        time.sleep(0.01)
    ended.set()
    thread.join()
    assert not any(fault.fatal for fault in faults)


def test_faults_far_apart_are_not_in_a_row(faults: list[Fault], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_thread, "STEADY_S", -1.0)
    failures = [ValueError("now and then")] * (MOST_IN_A_ROW + 3)

    def part() -> None:
        if failures:
            raise failures.pop()

    thread = GuardedThread(part, "serving", vital=True)
    thread.start()
    thread.join()
    assert not any(fault.fatal for fault in faults)


def test_a_receiver_that_fails_does_not_end_the_thread(faults: list[Fault]) -> None:
    def refuse(fault: Fault) -> None:
        raise RuntimeError("no alarm")

    failures, end = [ValueError("once")], subscribe(refuse)

    def part() -> None:
        if failures:
            raise failures.pop()

    thread = GuardedThread(part, "updater")
    thread.start()
    thread.join()
    end()
    assert len(faults) == 1


def test_every_thread_of_the_agent_is_guarded() -> None:
    """All places that start a thread, besides the guard: each has its reason above."""
    root = Path(edgeagent.__file__).parent
    starts = re.compile(r"\b(threading\.)?(Thread|Timer|ThreadPoolExecutor)\(|\bstart_new_thread\b")
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if starts.search(path.read_text()) and "qat" not in path.parts
    }
    assert found == WITHOUT_GUARD
