from __future__ import annotations

import json

import pytest

from edgeagent.delivery.state.known_good_models import KnownGoodModels
from edgeagent.delivery.state.record import Record
from edgeagent.delivery.state.record_file import RECORD, read_record
from edgeagent.errors import DeliveryError, EdgeagentError
from edgeagent.telemetry.contract.deployment import State
from tests.delivery.folder_source import Published
from tests.delivery.state.device import STRIKES, WAY, Device, version


def test_nothing_was_ever_delivered(device: Device) -> None:
    assert device.store.record == Record()
    assert device.store.rebuilt is None
    assert device.store.to_serve(STRIKES) is None
    assert device.store.keep() == set()


def test_current_and_previous_follow_what_is_good(device: Device, three: list[Published]) -> None:
    models = [device.bring(published) for published in three]
    record = device.restart().record
    assert (record.current, record.previous) == (models[2], models[1])
    assert record.deployment is not None
    assert record.deployment.state == "good"
    assert version(device.store.to_serve(STRIKES)) == "3.0.0"
    assert device.store.keep() == {models[1].slot, models[2].slot}


def test_every_change_is_on_the_disk(device: Device, three: list[Published]) -> None:
    device.bring(three[0], until="fetching")
    for state in WAY:
        device.store.move(state)
        assert read_record(device.folder) == device.store.record
        assert json.loads((device.folder / RECORD).read_bytes())["deployment"]["state"] == state


@pytest.mark.parametrize(
    ("until", "state"),
    [
        ("fetching", "trial"),
        ("staged", "trial"),
        ("trial", "rejected"),
        ("gating", "good"),
        ("good", "trial"),
    ],
)
def test_states_are_not_skipped(device: Device, three: list[Published], until: State, state: State) -> None:
    device.bring(three[0], until)
    before = device.store.record
    with pytest.raises(
        DeliveryError, match=f"cannot go from {until} to {state}|no deployment is in progress"
    ):
        device.store.move(state)
    assert device.store.record == before


def test_one_deployment_at_a_time(device: Device, three: list[Published]) -> None:
    good = device.bring(three[0])
    with pytest.raises(DeliveryError, match="serves already"):
        device.store.begin(good, "channel")
    device.bring(three[1], "staged")
    with pytest.raises(DeliveryError, match="is still staged"):
        device.bring(three[2])


def test_a_trial_serves_after_a_restart(device: Device, three: list[Published]) -> None:
    device.bring(three[0])
    device.bring(three[1], "trial")
    assert version(device.restart().to_serve(STRIKES)) == "2.0.0"
    assert device.store.trial_serves


def test_three_bad_ends_of_a_trial_are_too_many(device: Device, three: list[Published]) -> None:
    good = device.bring(three[0])
    trial = device.bring(three[1], "trial")
    for starts in (1, 2):
        assert version(device.crash().to_serve(STRIKES)) == "2.0.0"
        deployment = read_record(device.folder).deployment  # type: ignore[union-attr]
        assert deployment is not None
        assert deployment.starts == starts
    assert version(device.crash().to_serve(STRIKES)) == "1.0.0"
    record = device.store.record
    assert record.current == good
    assert record.deployment is not None
    assert (record.deployment.state, [bad.slot for bad in record.bad]) == ("rolled_back", [trial.slot])
    assert "3 runs of the agent ended badly" in record.bad[0].reason


def test_clean_ends_of_a_trial_are_not_held_against_it(device: Device, three: list[Published]) -> None:
    device.bring(three[0], "trial")
    for _ in range(2 * STRIKES):
        assert version(device.restart().to_serve(STRIKES)) == "1.0.0"


def test_failures_of_the_trial_count_with_its_starts(device: Device, three: list[Published]) -> None:
    device.bring(three[0], "trial")
    device.store.update_deployment(strikes=STRIKES - 1)
    assert device.crash().to_serve(STRIKES) is None
    assert device.store.record.current is None


def test_a_gate_that_takes_the_agent_down_is_given_up(device: Device, three: list[Published]) -> None:
    device.bring(three[0])
    model = device.bring(three[1], "gating")
    for _ in range(STRIKES):
        assert version(device.crash().to_serve(STRIKES)) == "1.0.0"
    deployment = device.store.record.deployment
    assert deployment is not None
    assert deployment.state == "rejected"
    assert device.store.record.bad[0].slot == model.slot


def test_a_rejected_model_is_remembered_only_when_it_is_to_blame(
    device: Device, three: list[Published]
) -> None:
    device.bring(three[0], "fetching")
    device.store.move("rejected", "gave way")
    assert not device.store.record.bad
    model = device.bring(three[0], "gating")
    device.store.move("rejected", "too slow", bad=True)
    assert [(bad.slot, bad.reason) for bad in device.store.record.bad] == [(model.slot, "too slow")]


def test_going_back_from_a_good_model(device: Device, three: list[Published]) -> None:
    first, second = device.bring(three[0]), device.bring(three[1])
    device.store.change(pinned="tiny 2.0.0")
    device.store.go_back("the operator")
    record = device.store.record
    assert (record.current, record.previous, record.pinned) == (first, None, None)
    assert [bad.slot for bad in record.bad] == [second.slot]
    device.store.go_back("the operator again")
    assert device.store.record.current is None
    with pytest.raises(DeliveryError, match="nothing to go back to"):
        device.store.go_back("once more")


def test_going_back_needs_something_whole(device: Device, three: list[Published]) -> None:
    first, second = device.bring(three[0]), device.bring(three[1])
    device.damage(first)
    with pytest.raises(EdgeagentError, match="has the sha256"):
        device.store.go_back("the operator")
    assert device.store.record.current == second


def test_a_model_that_was_good_may_fail_a_second_trial(device: Device, three: list[Published]) -> None:
    first = device.bring(three[0])
    second = device.bring(three[1])
    device.bring(three[0], "trial")
    device.store.move("rolled_back", "crashed", bad=True)
    record = device.store.record
    assert (record.current, record.previous) == (second, None)
    assert KnownGoodModels(device.folder).models() == [second]
    assert [bad.slot for bad in record.bad] == [first.slot]
