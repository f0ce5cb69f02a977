from __future__ import annotations

from dataclasses import replace

import pytest

from edgeagent.launcher.decision import MOST_STARTS, decide
from edgeagent.launcher.record import AgentRecord, AgentTrial, AgentVersion

OLD = AgentVersion("0.2.0-a", "0.2.0", 1)
NEW = AgentVersion("0.3.0-b", "0.3.0", 2)
TRIAL = AgentTrial("0.4.0-c", "0.4.0", 3)
RECORD = AgentRecord(current=NEW, previous=OLD, trial=TRIAL)


def sound(version: AgentVersion) -> str | None:
    return None


def test_without_a_record_the_package_starts() -> None:
    start = decide(AgentRecord(), "0.1.0", "now", sound)
    assert (start.version, start.record, start.trial) == (None, AgentRecord(), False)


def test_each_start_of_a_trial_is_counted_and_the_last_one_ends_it() -> None:
    record = RECORD
    for number in range(1, TRIAL.most_starts + 1):
        start = decide(record, "0.1.0", "now", sound)
        record = start.record
        assert start.trial
        assert record.trial == replace(TRIAL, starts=number)
    start = decide(record, "0.1.0", "now", sound)
    assert start.version == NEW
    assert start.record.trial is None
    assert start.record.is_bad(TRIAL.slot)
    assert start.record.last is not None
    assert (start.record.last.version, start.record.last.state) == ("0.4.0", "rolled_back")


def test_a_trial_whose_start_cannot_be_counted_is_not_started() -> None:
    start = decide(RECORD, "0.1.0", "now", sound, countable=False)
    assert (start.version, start.trial) == (NEW, False)
    assert start.record.trial == TRIAL


def test_a_good_version_that_does_not_come_up_is_left_for_the_one_before() -> None:
    record = replace(RECORD, trial=None)
    for _ in range(MOST_STARTS):
        start = decide(record, "0.1.0", "now", sound)
        assert start.version == NEW
        record = start.record
    start = decide(record, "0.1.0", "now", sound)
    assert (start.version, start.record.current, start.record.previous) == (OLD, OLD, None)
    assert start.record.is_bad(NEW.slot)
    assert start.record.starts == 1


@pytest.mark.parametrize(
    ("damaged", "starts"),
    [
        ({TRIAL.slot}, NEW),
        ({TRIAL.slot, NEW.slot}, OLD),
        ({TRIAL.slot, NEW.slot, OLD.slot}, None),
    ],
)
def test_a_damaged_version_is_left_and_is_not_bad(damaged: set[str], starts: AgentVersion | None) -> None:
    start = decide(RECORD, "0.1.0", "now", lambda one: "torn" if one.slot in damaged else None)
    assert start.version == starts
    assert start.record.bad == ()
    assert start.record.current == starts


@pytest.mark.parametrize(
    ("packaged", "starts"), [("0.1.9", TRIAL), ("0.3.0", TRIAL), ("0.4.0", None), ("1.0.0", None)]
)
def test_the_package_wins_as_soon_as_it_is_not_older(packaged: str, starts: AgentVersion | None) -> None:
    start = decide(RECORD, packaged, "now", sound)
    assert (start.version.slot if start.version else None) == (starts.slot if starts else None)
    assert start.record.bad == ()


def test_numbers_of_versions_are_compared_as_numbers() -> None:
    record = AgentRecord(current=AgentVersion("0.10.0-d", "0.10.0", 5))
    assert decide(record, "0.9.0", "now", sound).version is not None
