from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgeagent.delivery.agent.agent_host import AgentUpdateStatus
from edgeagent.delivery.agent.probation import AgentProbation, roll_back_trial
from edgeagent.delivery.agent.report import agent_problem, build_agent_report
from edgeagent.errors import EdgeagentError
from edgeagent.launcher.launched import launched, note_clean_end, note_up
from edgeagent.launcher.record import (
    RECORD,
    AgentRecord,
    AgentTrial,
    AgentVersion,
    known_good,
    read_agent_record,
    write_agent_record,
)
from edgeagent.settings.sections.delivery import AgentUpdateSettings
from tests.delivery.agent.offers import launched_in

OLD = AgentVersion("0.2.0-a", "0.2.0", 1)
SETTINGS = AgentUpdateSettings(time=10.0, within=100.0, frames=2)


class Trial:
    """A probation at a clock of its own."""

    def __init__(self, state: Path, detecting: bool = True, broker: bool = True) -> None:
        self.folder = state / "agent"
        self.start = launched_in(state, state, "0.3.0-b", trial=True)
        trial = AgentTrial("0.3.0-b", "0.3.0", 2, starts=1, detecting=detecting, broker=broker)
        write_agent_record(self.folder, AgentRecord(current=OLD, trial=trial))
        self.now_s, self.connected, self.restarts = 0.0, False, 0
        self.probation = AgentProbation(
            self.start, SETTINGS, lambda: self.connected, restart=self._restart, clock=lambda: self.now_s
        )

    @property
    def record(self) -> AgentRecord:
        return read_agent_record(self.folder)

    def look(self, now_s: float) -> bool:
        self.now_s = now_s
        return self.probation.look()

    def _restart(self) -> None:
        self.restarts += 1


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def test_with_frames_and_broker_it_is_good_after_the_least_time(trial: Trial) -> None:
    trial.connected = True
    trial.probation.count_frame()
    trial.probation.count_frame()
    assert not trial.look(9.9)
    trial.connected = False  # it was connected; a broker that goes away is no failure of the version
    assert trial.look(10.0)
    record = trial.record
    assert record.current == AgentVersion("0.3.0-b", "0.3.0", 2)
    assert (record.previous, record.trial, trial.restarts) == (OLD, None, 0)
    assert known_good(trial.folder) == [record.current]


@pytest.mark.parametrize(
    ("frames", "connected", "reason"),
    [(1, True, "1 frames in 100 s; 2 are needed"), (2, False, "the broker was not reached in 100 s")],
)
def test_without_them_it_is_rolled_back_at_the_end(
    trial: Trial, frames: int, connected: bool, reason: str
) -> None:
    for _ in range(frames):
        trial.probation.count_frame()
    trial.connected = connected
    assert not trial.look(99.0)
    assert trial.look(100.0)
    record = trial.record
    assert (record.current, record.trial, trial.restarts) == (OLD, None, 1)
    bad = record.is_bad("0.3.0-b")
    assert bad is not None
    assert bad.reason.startswith(reason)


def test_a_board_that_did_not_detect_before_need_not_detect(tmp_path: Path) -> None:
    trial = Trial(tmp_path, detecting=False, broker=False)
    assert trial.look(10.0)
    assert trial.record.trial is None
    assert trial.restarts == 0


def test_a_verdict_that_cannot_be_written_is_tried_again(trial: Trial) -> None:
    blocked = trial.folder / f"{RECORD}.new"
    blocked.mkdir()
    with pytest.raises(EdgeagentError, match="cannot be written"):
        trial.look(100.0)
    assert (trial.probation.ended, trial.restarts) == (False, 0)
    blocked.rmdir()
    assert trial.look(101.0)
    assert trial.restarts == 1


def test_a_clean_end_takes_its_start_back_and_a_version_that_is_up_counts_no_earlier_ones(
    trial: Trial,
) -> None:
    note_up(trial.start)
    assert trial.record.trial is not None
    assert trial.record.trial.starts == 1
    note_clean_end(trial.start)
    assert trial.record.trial.starts == 0
    roll_back_trial(trial.start, trial.record.trial, "why")
    note_clean_end(trial.start)
    write_agent_record(trial.folder, AgentRecord(current=OLD, starts=4))
    note_up(launched_in(trial.folder.parent, trial.folder, OLD.slot))
    assert trial.record.starts == 0
    assert launched({}) is None
    assert launched({"EDGEAGENT_LAUNCHED": "{"}) is None


def test_a_stop_before_a_version_is_up_counts(trial: Trial) -> None:
    """A version that hangs at its start is stopped by systemd as by a person."""
    note_clean_end(trial.start)
    assert trial.record.trial is not None
    assert trial.record.trial.starts == 1


@pytest.mark.parametrize(
    ("state", "status", "alarm"),
    [
        ("rolled_back", {}, "edgeagent 0.3.0 was rolled back: why"),
        ("rejected", {}, "edgeagent 0.3.0 was rejected: why"),
        ("rejected", {"state": "fetching"}, None),
        ("rejected", {"refused": "its sha256 is wrong"}, "its sha256 is wrong"),
    ],
)
def test_the_last_failure_is_an_alarm_until_the_next_update(
    trial: Trial, state: str, status: dict[str, Any], alarm: str | None
) -> None:
    assert trial.record.trial is not None
    record = trial.record.without(trial.record.trial, state, "why", "now")
    found = AgentUpdateStatus(**status)
    assert agent_problem(record, found) == alarm
    report = build_agent_report(record, found, trial.start)
    assert (report.last_version, report.last_state, report.last_reason) == ("0.3.0", state, "why")
    assert agent_problem(AgentRecord(), AgentUpdateStatus()) is None
