"""A first start of the daemon: one delegate serves, the others are tried beside it; the next tries none."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeagent.detection.journal import JOURNAL, Journal
from edgeagent.detection.records import VERDICTS, load_verdicts
from tests.daemon.running import PATIENCE, Daemon, running
from tests.daemon.test_run import settings
from tests.engines.standin import build_standin
from tests.included import QUICK_NAME


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 5 * PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def end(daemon: Daemon) -> None:
    """Stop it, however busy the machine is."""
    daemon.process.terminate()
    assert daemon.wait(5 * PATIENCE) == 0, daemon.log()


def events(state: Path) -> list[tuple[str, str]]:
    """Candidates and events of the journal."""
    path = state / JOURNAL
    lines = path.read_text().splitlines() if path.exists() else []
    return [(line["key"].split()[0], line["event"]) for line in map(json.loads, lines)]


def board(tmp_path: Path, source: Path, engine: str, **model: Any) -> dict[str, Any]:
    wanted = settings(source, loop=True)
    wanted["state"] = str(tmp_path / "state")
    wanted["model"] = {"bundle": QUICK_NAME, "engine": engine, "threads": 1, **model}
    return wanted


def test_without_a_camera_all_are_tried_and_the_next_start_tries_none(tmp_path: Path) -> None:
    state = tmp_path / "state"
    wanted = board(tmp_path, tmp_path / "absent.mp4", "tflite-xnnpack, onnxruntime-cpu")
    with running(tmp_path, wanted) as daemon:
        daemon.wait_for_notification("STATUS=waiting for a camera")
        wait_for(lambda: any(one.chosen for one in load_verdicts(state / VERDICTS).values()))
        end(daemon)
    assert len(load_verdicts(state / VERDICTS)) == 2
    before = events(state)
    (tmp_path / "notify").unlink()
    with running(tmp_path, wanted) as daemon:
        daemon.wait_for_notification("STATUS=waiting for a camera")
        end(daemon)
    assert events(state)[len(before) :] == [("tflite-xnnpack", "start"), ("tflite-xnnpack", "end")]


def test_a_stop_in_a_trial_beside_what_serves_is_no_end_of_the_machine(
    pictures: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    library = build_standin(tmp_path_factory.mktemp("standin"))
    hangs = {"library": {"path": str(library), "options": {"mode": "hang-on-load"}}}
    wanted = board(tmp_path, pictures, "onnxruntime-cpu, tflite-external", **hangs)
    with running(tmp_path, wanted) as daemon:
        daemon.wait_until_detecting()
        wait_for(lambda: ("tflite-external", "start") in events(tmp_path / "state"))
        end(daemon)
    assert events(tmp_path / "state")[-1] == ("tflite-external", "error")
    assert Journal(tmp_path / "state" / JOURNAL, boot="the next boot").suspects() == []
