"""Programs: input, environment, a hang, one that is not there, and too many events."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from edgeagent.settings.sections.actions import CommandSettings
from edgeagent.telemetry.actions.command import MOST_WAITING, CommandAction
from tests.broker import PATIENCE
from tests.telemetry.actions.events import action_event


def script(tmp_path: Path, text: str) -> tuple[str, ...]:
    path = tmp_path / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return (str(path), "one argument; $HOME")


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return path.read_text()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_the_program_gets_the_event_and_little_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEAGENT_PASSWORD", "geheim")
    out = tmp_path / "out"
    arguments = script(
        tmp_path, f'cat > {out}.in; echo "$1" > {out}.arg; env > {out}.new; mv {out}.new {out}'
    )
    action = CommandAction("light", CommandSettings(arguments=arguments, timeout=PATIENCE))
    action.start()
    action.act(action_event())
    environment = wait_for(out)
    action.stop(PATIENCE)
    assert json.loads((tmp_path / "out.in").read_text())["zone"] == "gate"
    assert (tmp_path / "out.arg").read_text() == "one argument; $HOME\n"  # no shell has seen it
    assert "PASSWORD" not in environment and "NOTIFY_SOCKET" not in environment


def test_a_program_that_hangs_is_killed_with_what_it_started(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pids = tmp_path / "pids"
    text = f"sleep 600 & echo $$ $! > {pids}.new; mv {pids}.new {pids}; sleep 600"
    action = CommandAction("light", CommandSettings(arguments=script(tmp_path, text), timeout=1.0))
    action.start()
    action.act(action_event())
    running = [int(pid) for pid in wait_for(pids).split()]
    deadline = time.monotonic() + PATIENCE
    while any(is_alive(pid) for pid in running):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    pids.unlink()
    action.act(action_event(2))  # the thread goes on
    running = [int(pid) for pid in wait_for(pids).split()]
    action.stop(PATIENCE)
    assert not any(is_alive(pid) for pid in running)
    assert caplog.text.count("took more than 1 s, and was killed") == 1


def test_what_cannot_be_started_or_fails_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    absent = CommandAction("light", CommandSettings(arguments=("/nowhere/program",)))
    failing = CommandAction("bell", CommandSettings(arguments=script(tmp_path, "exit 3"), timeout=PATIENCE))
    for action in (absent, failing):
        action.start()
        action.act(action_event())
    deadline = time.monotonic() + PATIENCE
    while "ended with 3" not in caplog.text or "cannot be started" not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for action in (absent, failing):
        action.stop(PATIENCE)


def test_a_program_that_a_signal_ends_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    action = CommandAction(
        "light", CommandSettings(arguments=script(tmp_path, "kill -SEGV $$"), timeout=PATIENCE)
    )
    action.start()
    action.act(action_event())
    deadline = time.monotonic() + PATIENCE
    while "was ended by SIGSEGV" not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    action.stop(PATIENCE)


def test_events_that_nobody_can_follow_are_dropped(caplog: pytest.LogCaptureFixture) -> None:
    action = CommandAction("light", CommandSettings(arguments=("/bin/true",)))  # not started
    for number in range(MOST_WAITING + 5):
        action.act(action_event(number))
    assert action._events.qsize() == MOST_WAITING
    assert caplog.text.count("dropped") == 1
