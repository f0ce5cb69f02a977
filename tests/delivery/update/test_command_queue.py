from __future__ import annotations

import threading

import pytest

from edgeagent.delivery.update.command_queue import CommandQueue
from edgeagent.errors import DeliveryError


def test_answers_and_refusals_come_back(caplog: pytest.LogCaptureFixture) -> None:
    queue, done = CommandQueue(), []

    def refuse() -> str:
        raise DeliveryError("no such release")

    def stumble() -> str:
        raise KeyError("oops")

    answers = [queue.submit(command) for command in (lambda: "done", refuse, stumble)]
    assert queue.waits()
    queue.run(0.0, lambda: done.append(1))
    assert answers[0].result() == "done"
    with pytest.raises(DeliveryError, match="no such release"):
        answers[1].result()
    with pytest.raises(KeyError):
        answers[2].result()
    assert "oops" in caplog.text
    assert len(done) == 3
    assert not queue.waits()


def test_it_waits_for_one_that_comes() -> None:
    queue = CommandQueue()
    thread = threading.Thread(target=queue.run, args=(60.0, lambda: None))
    thread.start()
    assert queue.submit(lambda: "done").result(30.0) == "done"
    thread.join(30.0)
    assert not thread.is_alive()


def test_a_flood_of_commands_does_not_hold_the_thread() -> None:
    queue, asked = CommandQueue(), []

    def ask_again() -> str:
        asked.append(queue.submit(ask_again))
        return "again"

    ask_again()
    queue.run(0.0, lambda: None)
    assert len(asked) == 2


def test_a_command_that_nobody_waits_for_any_more_is_not_run() -> None:
    queue = CommandQueue()
    run: list[str] = []

    def note() -> str:
        run.append("run")
        return "done"

    assert queue.submit(note).cancel()
    queue.run(0.0, lambda: None)
    assert run == []
