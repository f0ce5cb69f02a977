from __future__ import annotations

import threading

import pytest

from edgeagent.errors import DeliveryError
from tests.delivery.folder_source import Published
from tests.delivery.update.device import Device, offer


def test_cancel_while_fetching(device: Device, three: list[Published]) -> None:
    answers: list[str] = []

    def cancel() -> None:
        device.source.on_piece = lambda: None
        threading.Thread(target=lambda: answers.append(device.updater.cancel())).start()
        device.until_waits()

    device.source.on_piece = cancel
    device.start().until("rejected")
    assert device.reason == "cancelled by a command"
    assert device.bad == [three[0].release.slot]
    device.updater.check_now()
    assert device.store.pending() is None
    device.updater.forgive("tiny", "1.0.0")
    device.good("1.0.0")
    assert answers == ["cancelled"]


def test_cancel_while_the_gate_runs(device: Device) -> None:
    answers: list[str] = []

    def cancel() -> None:
        device.runner.in_gate = lambda: None
        threading.Thread(target=lambda: answers.append(device.updater.cancel())).start()
        device.until_waits()

    device.runner.in_gate = cancel
    device.start().until("rejected")
    assert device.runner.serving == []


def test_cancel_needs_something_to_cancel(device: Device) -> None:
    device.source.offered.clear()
    device.start()
    with pytest.raises(DeliveryError, match="no deployment is in progress"):
        device.updater.cancel()


def test_a_trial_is_rolled_back_instead(device: Device, three: list[Published]) -> None:
    device.start().good("1.0.0")
    offer(device, three[1])
    device.until("trial", "2.0.0")
    with pytest.raises(DeliveryError, match="is on trial; roll it back"):
        device.updater.cancel()
    assert device.updater.rollback() == "back to tiny 1.0.0"
    assert device.runner.serving == ["1.0.0", "2.0.0", None]
    assert device.bad == [three[1].release.slot]
    device.updater.check_now()
    assert device.store.pending() is None


def test_a_good_model_is_rolled_back(device: Device, three: list[Published]) -> None:
    device.start().good("1.0.0")
    offer(device, three[1])
    device.good("2.0.0")
    assert device.updater.rollback() == "back to tiny 1.0.0"
    assert device.updater.rollback() == "back to the configured bundle"
    with pytest.raises(DeliveryError, match="nothing to go back to"):
        device.updater.rollback()
    assert device.runner.serving == ["1.0.0", "2.0.0", None, None]


def test_pin_chooses_among_what_is_offered(device: Device, three: list[Published]) -> None:
    device.start().good("1.0.0")
    with pytest.raises(DeliveryError, match=r"offers no tiny 9\.0\.0"):
        device.updater.pin("tiny", "9.0.0")
    assert device.store.record.pinned is None
    device.source.offered.append(three[1])
    assert device.updater.pin("tiny", "2.0.0") == "pinned to tiny 2.0.0"
    device.good("2.0.0")
    record = device.store.record
    assert record.pinned == "tiny 2.0.0"
    assert record.deployment is not None
    assert record.deployment.source == "command"
    assert "pinned to tiny 2.0.0" in device.updater.status()
    assert device.updater.unpin() == "following the channel"
    assert device.store.record.pinned is None


def test_pin_takes_the_place_of_what_is_on_its_way(device: Device, three: list[Published]) -> None:
    device.start().good("1.0.0")
    device.source.waits = "outside its window"
    offer(device, three[1])
    device.until("staged", "2.0.0")
    device.source.offers_nothing = True
    device.updater.pin("tiny", "1.0.0")
    device.until("rejected", "2.0.0")
    assert device.reason == "gave way to tiny 1.0.0, which was pinned"


def test_pin_refuses_what_is_withdrawn(device: Device, three: list[Published]) -> None:
    withdrawn = three[0].release.model_copy(update={"withdrawn": "wrong"})
    device.source.offered[:] = [Published(withdrawn, three[0].folder, three[0].hashes)]
    device.source.offers_nothing = True
    device.start()
    with pytest.raises(DeliveryError, match=r"tiny 1\.0\.0 is withdrawn: wrong"):
        device.updater.pin("tiny", "1.0.0")


def test_an_action_of_hawkbit_is_done_once(device: Device, three: list[Published]) -> None:
    device.source.action = "4711"
    device.runner.in_gate = lambda: (_ for _ in ()).throw(DeliveryError("too slow here"))
    device.start().until("rejected")
    assert device.store.record.deployment is not None
    assert device.store.record.deployment.action == "4711"
    device.updater.check_now()
    device.updater.check_now()
    assert device.runner.gated == ["1.0.0"]
    device.source.action = "4712"
    device.updater.check_now()
    device.until_true(lambda: (device.reason or "").startswith("bad on this device"))
    assert device.runner.gated == ["1.0.0"]
