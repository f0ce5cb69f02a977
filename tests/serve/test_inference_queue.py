"""Requests wait in a bounded queue before one thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Queue

import pytest

pytest.importorskip("zmq", reason="pyzmq is not installed: pip install 'edgeagent[serve]'")
pytest.importorskip("uvicorn", reason="uvicorn is not installed: pip install 'edgeagent[serve]'")

from edgeagent.errors import EngineError
from edgeagent.imaging.frame import Image
from edgeagent.serve.errors import NotNowError
from edgeagent.serve.inference_queue import Answer
from edgeagent.vision.detections import Detections
from tests.serve.served import EMPTY, HeldDetector, started_queue


def test_answers_come_in_order_from_one_thread() -> None:
    threads: set[int] = set()
    numbers = iter(range(100))

    def detect(_: Image) -> Detections:
        threads.add(threading.get_ident())
        return Detections.empty((str(next(numbers)),))

    queue = started_queue(detect, size=100)
    answers: Queue[Answer] = Queue()
    askers = [threading.Thread(target=lambda: queue.submit(EMPTY, answers.put)) for _ in range(20)]
    for one in askers:
        one.start()
    found = [answers.get(timeout=120) for _ in askers]
    assert [one.labels for one in found if isinstance(one, Detections)] == [(str(n),) for n in range(20)]
    assert len(threads) == 1
    queue.stop(5)


def test_too_many_are_refused_and_those_that_wait_are_answered() -> None:
    held, answers = HeldDetector(), Queue[Answer]()
    held.go.clear()
    queue = started_queue(held.detect, size=2)
    queue.submit(EMPTY, answers.put)
    assert held.entered.acquire(timeout=120)
    for _ in range(2):
        queue.submit(EMPTY, answers.put)
    with pytest.raises(NotNowError, match="2 requests wait already"):
        queue.submit(EMPTY, answers.put)
    held.go.set()
    assert all(isinstance(answers.get(timeout=120), Detections) for _ in range(3))
    queue.stop(5)


def test_a_request_that_waited_too_long_costs_the_engine_nothing() -> None:
    held, answers = HeldDetector(), Queue[Answer]()
    held.go.clear()
    queue = started_queue(held.detect, wait_s=0.0)
    queue.submit(EMPTY, answers.put)
    refused = answers.get(timeout=120)
    assert isinstance(refused, NotNowError)
    assert "had no time" in str(refused)
    assert not held.entered.acquire(blocking=False)
    queue.stop(5)


def test_an_error_is_an_answer() -> None:
    def fail(_: Image) -> Detections:
        raise EngineError("broken")

    queue, answers = started_queue(fail), Queue[Answer]()
    for _ in range(2):
        queue.submit(EMPTY, answers.put)
        assert str(answers.get(timeout=120)) == "broken"
    queue.stop(5)


def test_an_idle_detector_answers_in_the_calling_thread() -> None:
    held, answers = HeldDetector(), Queue[Answer]()
    queue = started_queue(held.detect)
    assert isinstance(queue.now(EMPTY), Detections)
    held.go.clear()
    queue.submit(EMPTY, answers.put)
    assert held.entered.acquire(timeout=120)
    assert held.entered.acquire(timeout=120)
    assert queue.now(EMPTY) is None  # the detector is busy
    held.go.set()
    assert isinstance(answers.get(timeout=120), Detections)
    queue.stop(5)
    assert queue.now(EMPTY) is None


def test_a_request_waits_while_another_thread_uses_the_detector() -> None:
    held, answers = HeldDetector(), Queue[Answer]()
    held.go.clear()
    queue = started_queue(held.detect)
    caller = threading.Thread(target=lambda: queue.now(EMPTY))
    caller.start()
    assert held.entered.acquire(timeout=120)
    queue.submit(EMPTY, answers.put)
    assert not held.entered.acquire(timeout=0.2)
    held.go.set()
    assert isinstance(answers.get(timeout=120), Detections)
    caller.join()
    queue.stop(5)


def test_an_unexpected_error_is_an_answer_and_the_thread_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    outcomes: Iterator[Exception | Detections] = iter([ValueError("odd"), Detections.empty()])

    def detect(_: Image) -> Detections:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    queue, answers = started_queue(detect), Queue[Answer]()
    queue.submit(EMPTY, answers.put)
    assert isinstance(answers.get(timeout=120), NotNowError)
    queue.submit(EMPTY, answers.put)
    assert isinstance(answers.get(timeout=120), Detections)
    assert "odd" in caplog.text
    queue.stop(5)


def test_the_end_answers_those_that_wait_and_takes_no_more() -> None:
    held, answers = HeldDetector(), Queue[Answer]()
    held.go.clear()
    queue = started_queue(held.detect)
    queue.submit(EMPTY, answers.put)
    assert held.entered.acquire(timeout=120)
    queue.submit(EMPTY, answers.put)
    queue.stop(0)
    assert str(answers.get(timeout=120)) == "the server ends"
    with pytest.raises(NotNowError, match="the server ends"):
        queue.submit(EMPTY, answers.put)
    held.go.set()
    assert isinstance(answers.get(timeout=120), Detections)
