"""Choice, probation and rollback of configurations: pure rules."""

from __future__ import annotations

from datetime import datetime, timezone
from itertools import product
from typing import Any, get_args

import pytest

from edgeagent.delivery.configuration.choice import choose_configuration
from edgeagent.delivery.configuration.probation import (
    ConfigurationProbation,
    missing,
    required_cameras,
)
from edgeagent.delivery.configuration.record import (
    BadConfiguration,
    ConfigurationDeployment,
    ConfigurationRecord,
    StoredConfiguration,
    WorkingParts,
)
from edgeagent.delivery.configuration.wishes import (
    ROLLBACK_CONFIGURATION,
    ConfigurationBefore,
    PendingConfiguration,
    state_of,
)
from edgeagent.delivery.repository.channel import Channel
from edgeagent.delivery.repository.channel_entry import Rollout
from edgeagent.delivery.repository.configuration_entry import Configuration
from edgeagent.delivery.update.policy import Device
from edgeagent.settings.sections.delivery import ConfigurationTrialSettings

DEVICE = Device("gate-7", ("rpi5", "any"), ("pilot",), datetime(2026, 5, 1, tzinfo=timezone.utc))


def entry(number: int, **fields: Any) -> Configuration:
    fields = {"boards": ("any",), "rollout": Rollout(id="1"), **fields}
    return Configuration(version=f"{number}.0.0", sequence=number, sha256=f"{number:064}", size=9, **fields)


def kept(number: int) -> StoredConfiguration:
    return StoredConfiguration(version=f"{number}.0.0", sequence=number, sha256=f"{number:064}")


def chosen(record: ConfigurationRecord, *entries: Configuration) -> tuple[str | None, str | None]:
    choice = choose_configuration(Channel(channel="stable", configurations=entries), DEVICE, record)
    return choice.entry.version if choice.entry else None, choice.leave or choice.reason


def test_the_newest_that_fits_is_chosen() -> None:
    none = ConfigurationRecord()
    assert chosen(none, entry(1), entry(2)) == ("2.0.0", None)
    assert chosen(none, entry(1), entry(2, boards=("coral",)))[0] == "1.0.0"
    assert chosen(none, entry(1), entry(2, rollout=Rollout(id="1", cohorts=("lab",))))[0] == "1.0.0"
    assert chosen(none, entry(1), entry(2, minimum_agent_version="99.0.0"))[0] == "1.0.0"
    assert chosen(none) == (None, None)


def test_an_older_one_is_not_chosen_unless_the_current_one_is_withdrawn() -> None:
    record = ConfigurationRecord(current=kept(2), previous=kept(1))
    assert chosen(record, entry(1), entry(2)) == (None, None)
    gone = entry(2, withdrawn="slow")
    assert chosen(record, entry(1, rollout=Rollout(id="1", percent=0)), gone)[0] == "1.0.0"
    assert chosen(record, gone) == (None, "2.0.0 is withdrawn (slow); nothing else is offered")


def test_a_bad_one_is_not_chosen() -> None:
    bad = BadConfiguration(slot=entry(2).slot, version="2.0.0", reason="no broker", since="")
    record = ConfigurationRecord(current=kept(1), bad=(bad,))
    assert chosen(record, entry(1), entry(2)) == (
        None,
        "configuration 2.0.0: bad on this device: no broker",
    )


def test_cameras_that_worked_and_new_ones_must_deliver() -> None:
    before = WorkingParts(cameras=("yard",), broker=True, detecting=True)
    assert required_cameras(before, ("yard", "dock"), ("yard", "dock", "gate")) == ("yard", "gate")
    assert required_cameras(before, ("yard", "dock"), ("dock",)) == ()
    assert missing(before, before, ("yard",)) is None
    assert missing(WorkingParts(), WorkingParts(), ()) is None
    assert missing(before, WorkingParts(broker=True, detecting=True), ("yard",)) == (
        "camera yard delivers no frames"
    )


def test_it_is_good_when_everything_works_steadily() -> None:
    before = WorkingParts(cameras=("yard",), broker=True)
    limits = ConfigurationTrialSettings(within=60.0, steady=10.0)
    probation = ConfigurationProbation(limits, before, ("yard",), 100.0)
    assert probation.look(WorkingParts(), 101.0)[0] == "on_trial"
    assert probation.look(before, 120.0)[0] == "on_trial"
    assert probation.look(WorkingParts(broker=True), 125.0) == ("on_trial", "camera yard delivers no frames")
    assert probation.look(before, 126.0)[0] == "on_trial"
    assert probation.look(before, 135.9)[0] == "on_trial"
    assert probation.look(before, 136.0)[0] == "good"


def test_it_is_bad_when_it_does_not_work_in_time_or_not_steadily() -> None:
    before = WorkingParts(broker=True)
    limits = ConfigurationTrialSettings(within=60.0, steady=10.0)
    late = ConfigurationProbation(limits, before, (), 0.0)
    assert late.look(WorkingParts(), 60.0)[0] == "on_trial"
    verdict, reason = late.look(WorkingParts(), 60.1)
    assert (verdict, reason) == ("bad", "after 60 s the broker, which was connected, is not")
    unsteady = ConfigurationProbation(limits, before, (), 0.0)
    assert unsteady.look(before, 59.0)[0] == "on_trial"
    assert unsteady.look(WorkingParts(), 61.0)[0] == "bad"


def deployment(state: Any, number: int) -> ConfigurationDeployment:
    return ConfigurationDeployment(configuration=kept(number), state=state, since="")


RECORDS = {
    ("none", "nothing"): ConfigurationRecord(),
    ("none", "own"): ConfigurationRecord(current=kept(1)),
    ("none", "good"): ConfigurationRecord(current=kept(2), previous=kept(1)),
    ("none", "withdrawn"): ConfigurationRecord(current=kept(2), previous=kept(1), withdrawn=(kept(1).slot,)),
}


def test_every_state_has_its_cell() -> None:
    states = set(product(get_args(PendingConfiguration), get_args(ConfigurationBefore)))
    assert set(ROLLBACK_CONFIGURATION) == states
    for key, actions in ROLLBACK_CONFIGURATION.items():
        assert bool(actions) == (key != ("none", "nothing"))


@pytest.mark.parametrize("before", get_args(ConfigurationBefore))
def test_the_state_of_a_record_is_found(before: str) -> None:
    record = RECORDS["none", before]
    assert state_of(record) == ("none", before)
    update = record.model_copy(update={"deployment": deployment("staged", 3)})
    assert state_of(update) == ("update", before)
    trial = record.model_copy(update={"deployment": deployment("trial", 3)})
    assert state_of(trial)[0] == "trial"
    good = record.model_copy(update={"deployment": deployment("good", 3)})
    assert state_of(good) == ("none", before)


def test_a_trial_leads_to_the_current_one() -> None:
    trial = deployment("trial", 3)
    assert state_of(ConfigurationRecord(deployment=trial)) == ("trial", "nothing")
    good = ConfigurationRecord(current=kept(2), deployment=trial)
    assert state_of(good) == ("trial", "good")
    gone = ConfigurationRecord(current=kept(2), withdrawn=(kept(2).slot,), deployment=trial)
    assert state_of(gone) == ("trial", "withdrawn")
