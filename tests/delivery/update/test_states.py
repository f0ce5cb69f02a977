from __future__ import annotations

import pytest

from edgeagent.delivery.update.deployment_steps import installed
from edgeagent.errors import DeliveryError, EngineError
from tests.bundle.tiny import ARTEFACT, PICTURE
from tests.delivery.folder_source import Published
from tests.delivery.update.device import PATIENCE_S, Device, offer


def test_from_the_wish_to_good(device: Device, three: list[Published]) -> None:
    device.start().good("1.0.0")
    states = [record.deployment.state for record, _ in device.told if record.deployment]
    ordered = sorted(set(states), key=states.index)
    assert ordered == ["fetching", "verifying", "staged", "gating", "trial", "good"]
    shares = [share for _, share in device.told if share is not None]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert device.runner.serving == ["1.0.0"]
    record = device.store.record
    assert record.current == installed(three[0].release)
    assert record.deployment is not None
    assert record.deployment.bytes == sum(three[0].release.files.values())


def test_only_what_the_board_needs_is_fetched(device: Device, three: list[Published]) -> None:
    device.runner.wanted = [ARTEFACT, PICTURE]  # not the reference outputs
    device.start().until("rejected")
    assert "outputs.npz is missing" in (device.reason or "")
    assert set(device.source.fetched) == {"manifest.yaml", ARTEFACT, PICTURE}
    assert device.bad == [three[0].release.slot]


def test_a_bundle_without_anything_for_this_board_is_refused(device: Device) -> None:
    device.runner.wanted = ["engines/other.hef"]
    device.start().until("rejected")
    assert "does not offer engines/other.hef" in (device.reason or "")
    assert len(device.bad) == 1
    assert device.runner.gated == []


def test_a_failed_gate_is_remembered_and_the_old_model_goes_on(
    device: Device, three: list[Published]
) -> None:
    device.start().good("1.0.0")

    def refuse() -> None:
        raise DeliveryError("too slow here")

    device.runner.in_gate = refuse
    offer(device, three[1])
    device.until("rejected", "2.0.0")
    assert (device.reason, device.bad) == ("too slow here", [three[1].release.slot])
    assert device.runner.serving == ["1.0.0"]
    assert device.store.record.current == installed(three[0].release)


def test_a_gate_that_could_not_tell_is_run_again(device: Device) -> None:
    trouble = [EngineError("the delegate is busy")]

    def hinder() -> None:
        if trouble:
            raise trouble.pop()

    device.runner.in_gate = hinder
    device.start().until("gating")
    device.until_true(lambda: not trouble)
    device.now += 1
    device.updater.check_now()
    device.good("1.0.0")
    assert device.runner.gated == ["1.0.0", "1.0.0"]


def test_a_model_that_cannot_be_started_is_rolled_back(device: Device, three: list[Published]) -> None:
    def refuse(version: str | None) -> None:
        if version is not None:
            raise EngineError("no delegate serves")

    device.runner.on_serve = refuse
    device.start().until("rolled_back")
    assert device.reason == "no delegate serves"
    assert device.bad == [three[0].release.slot]


def test_trial_is_written_before_it_serves(device: Device) -> None:
    states = []
    device.runner.on_serve = lambda version: states.append(
        device.store.record.deployment and device.store.record.deployment.state
    )
    device.start().until("trial")
    device.updater.trial_ended("crashes").result(PATIENCE_S)
    assert states == ["trial", "rolled_back"]


def test_a_bad_verdict_goes_back(device: Device, three: list[Published]) -> None:
    device.start().good("1.0.0")
    offer(device, three[1])
    device.until("trial", "2.0.0")
    assert device.updater.trial_ended("finds nothing").result(PATIENCE_S) == "rolled back"
    assert device.runner.serving == ["1.0.0", "2.0.0", None]
    assert device.bad == [three[1].release.slot]
    with pytest.raises(DeliveryError, match="no model is on trial"):
        device.updater.trial_ended(None).result(PATIENCE_S)


def test_strikes_are_kept_and_the_third_ends_the_trial(device: Device) -> None:
    device.start().until("trial")
    assert device.updater.strike("crashed").result(PATIENCE_S) == "strike 1: crashed"
    device.restart()
    assert device.updater.strike("hung").result(PATIENCE_S) == "rolled back"  # with its second start
    assert device.reason == "hung"


def test_a_newer_wish_wins_over_a_fetch(device: Device, three: list[Published]) -> None:
    def publish_another() -> None:
        device.source.on_piece = lambda: None
        device.source.offered.append(three[1])
        device.updater.check_now()

    device.source.on_piece = publish_another
    device.start().good("2.0.0")
    ended = [r.deployment for r, _ in device.told if r.deployment and r.deployment.state == "rejected"]
    assert {one.reason for one in ended} <= {"gave way to tiny 2.0.0"}
    assert device.runner.gated == ["2.0.0"]
    assert device.bad == []


def test_a_newer_wish_wins_over_a_trial(device: Device, three: list[Published]) -> None:
    device.start().until("trial", "1.0.0")
    offer(device, three[1])
    device.good("2.0.0")
    assert device.runner.serving == ["1.0.0", None, "2.0.0"]
    assert device.bad == []


@pytest.mark.parametrize("state", ["staged", "trial"])
def test_a_withdrawn_release_does_not_go_on(device: Device, three: list[Published], state: str) -> None:
    device.source.waits = "outside its window" if state == "staged" else None
    device.start().until(state)
    withdrawn = three[0].release.model_copy(update={"withdrawn": "finds cats in dogs"})
    device.source.offered[:] = [Published(withdrawn, three[0].folder, three[0].hashes)]
    device.source.offers_nothing = True
    device.updater.check_now()
    device.until("rejected" if state == "staged" else "rolled_back")
    assert device.reason == "withdrawn: finds cats in dogs"
    assert device.bad == []


def test_a_release_that_is_gone_does_not_go_on(device: Device) -> None:
    device.source.waits = "outside its window"
    device.start().until("staged")
    device.source.offered.clear()
    device.updater.check_now()
    device.until("rejected")
    assert device.reason == "the channel does not offer it any more"


def test_nothing_wished_lets_what_has_begun_go_on(device: Device) -> None:
    device.source.waits = "outside its window"
    device.start().until("staged")
    device.source.offers_nothing = True
    device.updater.check_now()
    device.until_true(lambda: device.updater.state().waiting == "outside its window")
    device.source.waits = None
    device.now += 1
    device.updater.check_now()
    device.good("1.0.0")


def test_waiting_for_the_window_is_not_held_against_it(device: Device) -> None:
    device.source.waits = "outside its window"
    device.start().until("staged")
    device.until_true(lambda: device.updater.state().waiting is not None)
    device.now += 10 * device.settings.deadline
    device.source.waits = None
    device.updater.check_now()
    device.good("1.0.0")
