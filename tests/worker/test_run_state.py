"""Run states, from recorded files and from real processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgeagent.worker.run_state import ThreadState, read_run_state

STAT = "41 (python -m (x) R) {state} 1 41 41 0 -1 4194304 900 0 0 0 {user} {system} 0 0 25 5 1 0 3158 9 7 1"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    thread = tmp_path / "40" / "task" / "41"
    thread.mkdir(parents=True)
    (thread / "stat").write_text(STAT.format(state="D", user=250, system=50))
    (thread / "schedstat").write_text("2934567890 1200000000 321\n")
    (tmp_path / "pressure").mkdir()
    for name, total in (("io", 1_500_000), ("memory", 500_000)):
        lines = f"some avg10=0.01 avg60=0.33 avg300=0.95 total={total}\nfull avg10=0.00 total=77\n"
        (tmp_path / "pressure" / name).write_text(lines)
    return tmp_path


def test_a_thread_is_read_with_its_time_in_the_run_queue(proc: Path) -> None:
    state = read_run_state(40, proc)
    assert state.threads == {41: ThreadState("D", 2.93456789, 1.2)}
    assert state.stalled_s == 2.0


@pytest.mark.parametrize("schedstat", [None, "0 0 0\n", "nonsense"])
def test_a_kernel_without_schedstat_or_pressure(proc: Path, schedstat: str | None) -> None:
    (proc / "40" / "task" / "41" / "schedstat").unlink()
    if schedstat is not None:
        (proc / "40" / "task" / "41" / "schedstat").write_text(schedstat)
    (proc / "pressure" / "io").unlink()
    (proc / "pressure" / "memory").write_text("")
    state = read_run_state(40, proc)
    assert state.threads == {41: ThreadState("D", 300 / os.sysconf("SC_CLK_TCK"), 0.0)}
    assert state.stalled_s == 0.0


def test_a_process_that_is_gone_has_no_threads(proc: Path) -> None:
    assert not read_run_state(39, proc).threads
    (proc / "40" / "task" / "41" / "stat").write_text("")
    assert not read_run_state(40, proc).threads


def test_this_process() -> None:
    own = read_run_state(os.getpid()).threads[os.getpid()]
    assert own.state == "R"
    assert own.ran_s > 0
