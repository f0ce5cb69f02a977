from __future__ import annotations

import pytest

from edgeagent.bundle.reading import MANIFEST
from edgeagent.delivery.errors import NoRoomError, RefusedError, UnreachableError
from edgeagent.delivery.state.record import Record
from edgeagent.delivery.state.store import Store
from edgeagent.delivery.update.deployment_steps import REFUSALS, installed
from edgeagent.errors import DeliveryError
from tests.bundle.tiny import ARTEFACT
from tests.delivery.folder_source import Published, publish
from tests.delivery.update.device import PATIENCE_S, Device, offer


def test_trouble_of_the_network_is_tried_again_until_the_deadline(device: Device) -> None:
    device.source.fetch_error = UnreachableError("the server does not answer")
    device.start().until("fetching")
    device.until_true(lambda: device.updater.state().step_error is not None)
    device.now += device.settings.deadline + 1
    device.updater.check_now()
    device.until("rejected")
    assert "does not serve after" in (device.reason or "")
    assert "the server does not answer" in (device.reason or "")
    assert device.bad == []
    device.source.fetch_error = None
    device.updater.check_now()
    device.good("1.0.0")


def test_the_deadline_counts_over_restarts_and_not_while_the_device_is_off(device: Device) -> None:
    device.source.fetch_error = UnreachableError("the server does not answer")
    device.start().until("fetching")
    device.now += 0.6 * device.settings.deadline
    device.stop()
    device.now += 10 * device.settings.deadline
    device.again()
    device.until_true(lambda: device.updater.state().step_error is not None)
    deployment = device.store.record.deployment
    assert deployment is not None
    assert deployment.state == "fetching"
    assert 0.6 <= deployment.spent_s / device.settings.deadline < 0.7
    device.now += 0.6 * device.settings.deadline
    device.updater.check_now()
    device.until("rejected")


def test_a_check_that_fails_leaves_what_has_begun_alone(device: Device) -> None:
    device.source.waits = "outside its window"
    device.start().until("staged")
    device.source.check_error = RefusedError("snapshot.json has been rolled back")
    device.updater.check_now()
    device.until_true(lambda: "rolled back" in device.updater.status())
    device.source.waits = None
    device.updater.check_now()
    device.good("1.0.0")


def test_a_file_that_does_not_verify_is_fetched_until_it_does(device: Device, three: list[Published]) -> None:
    device.source.fetch_error = RefusedError("its sha256 is another")
    device.start()
    device.until_true(lambda: len(device.source.fetched) > REFUSALS)
    assert "its sha256 is another" in (device.updater.state().problems["repository_refused"] or "")
    assert device.bad == []
    device.source.fetch_error = None
    device.updater.check_now()
    device.good("1.0.0")


def test_another_manifest_than_the_index_names_is_refused(device: Device, three: list[Published]) -> None:
    release = three[0].release.model_copy(update={"manifest_sha256": "0" * 64})
    device.source.offered[:] = [Published(release, three[0].folder, three[0].hashes)]
    device.start().until("rejected")
    assert "is not the manifest that the index of the channel names" in (device.reason or "")


def test_nothing_is_left_of_a_release_that_is_refused(device: Device, three: list[Published]) -> None:
    release = three[0].release.model_copy(update={"manifest_sha256": "0" * 64})
    device.source.offered[:] = [Published(release, three[0].folder, three[0].hashes)]
    partial = device.store.slots.partial(installed(release))
    (partial / f"{ARTEFACT.rpartition('/')[2]}.part").write_bytes(b"first bytes")
    device.start()
    device.until_true(lambda: device.store.record.deployment is not None and device.store.pending() is None)
    device.until_true(lambda: not partial.exists())


def test_the_whole_release_has_room_before_its_first_file(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1

    monkeypatch.setattr("edgeagent.delivery.update.deployment_steps.shutil.disk_usage", lambda path: Usage)
    device.start().until("fetching")
    device.until_true(lambda: device.updater.state().step_error is not None)
    assert "needs " in str(device.updater.state().step_error)
    assert [file for file in device.source.fetched if file != MANIFEST] == []
    monkeypatch.undo()
    device.updater.check_now()
    device.good("1.0.0")


def test_a_full_disk_is_pruned_and_tried_again(device: Device, three: list[Published]) -> None:
    device.start()
    for number in range(3):
        offer(device, *([three[number]] if number else []))
        device.good(f"{number + 1}.0.0")
    oldest = installed(three[0].release)
    assert device.store.slots.has(oldest)
    device.source.fetch_error = NoRoomError("the disk has no room")
    offer(device, publish(device.folder.parent / "four", "4.0.0", 4))
    device.until("fetching", "4.0.0")
    device.until_true(lambda: not device.store.slots.has(oldest))
    assert device.store.slots.has(installed(three[1].release))
    device.source.fetch_error = None
    device.updater.check_now()
    device.good("4.0.0")


def test_a_fetch_goes_on_after_a_restart_where_it_was(device: Device, three: list[Published]) -> None:
    def pull_the_plug() -> None:
        device.source.on_piece = lambda: None
        device.source.fetch_error = UnreachableError("the cable is out")
        raise UnreachableError("the cable is out")

    device.source.on_piece = pull_the_plug
    device.start()
    device.until_true(lambda: device.updater.state().step_error is not None)
    device.stop()
    device.source.fetch_error = None
    device.again().good("1.0.0")
    assert device.source.copied == sum(three[0].release.files.values())


def test_damage_of_what_was_fetched_is_fetched_again(device: Device, three: list[Published]) -> None:
    model = installed(three[0].release)

    def damage(record: Record, share: float | None) -> None:
        path = device.store.slots.partial(model) / ARTEFACT
        if record.deployment and record.deployment.state == "verifying" and path.is_file() and not done:
            done.append(path.write_bytes(b"?" * path.stat().st_size))
        device._notify(record, share)

    done: list[int] = []
    device.updater._on_change = damage
    device.start().good("1.0.0")
    assert done
    states = [record.deployment.state for record, _ in device.told if record.deployment]
    assert states.index("verifying") < len(states) - 1 - states[::-1].index("fetching")


def test_a_gate_is_run_again_after_a_restart(device: Device) -> None:
    device.source.waits = "outside its window"
    device.start().until("staged")
    device.stop()
    store = Store(device.folder)
    store.move("gating")  # and there the power went
    store.close()
    device.again()
    device.until_true(lambda: device.updater.state().waiting == "outside its window")
    device.source.waits = None
    device.updater.check_now()
    device.good("1.0.0")


def test_a_staged_model_goes_on_without_the_network(device: Device) -> None:
    device.source.waits = "outside its window"
    device.start().until("staged")
    device.stop()
    device.source.waits = None
    device.source.check_error = device.source.fetch_error = UnreachableError("no network")
    device.again().good("1.0.0")


def test_a_model_that_has_its_slot_is_not_fetched_again(device: Device, three: list[Published]) -> None:
    device.start().good("1.0.0")
    offer(device, three[1])
    device.good("2.0.0")
    copied = device.source.copied
    device.source.offered[:] = [three[1], three[0]]
    device.updater.check_now()
    device.good("1.0.0")
    assert device.source.copied == copied


def test_a_trial_whose_start_could_not_be_counted_is_ended(device: Device, three: list[Published]) -> None:
    device.start().good("1.0.0")
    offer(device, three[1])
    device.until("trial", "2.0.0")
    device.stop()
    blocked = device.folder / "record.json.new"
    blocked.mkdir()
    device.again()
    device.until_true(lambda: "cannot be written" in device.updater.status())
    assert device.store.record.deployment is not None
    assert device.store.record.deployment.state == "trial"
    blocked.rmdir()
    device.now += 1
    device.updater.check_now()
    device.until("rolled_back")
    device.updater.check_now()
    device.good("2.0.0")
    ended = [r.deployment for r, _ in device.told if r.deployment and r.deployment.state == "rolled_back"]
    assert "could not be counted" in (ended[0].reason or "")


@pytest.mark.parametrize(("verdict", "state"), [(None, "good"), ("finds nothing", "rolled_back")])
def test_a_verdict_that_cannot_be_written_has_its_effect_and_is_written_later(
    device: Device, verdict: str | None, state: str
) -> None:
    device.start().until("trial")
    blocked = device.folder / "record.json.new"
    blocked.mkdir()
    device.updater.trial_ended(verdict).result(PATIENCE_S)
    assert device.runner.serving == (["1.0.0"] if verdict is None else ["1.0.0", None])
    assert device.store.pending() is not None
    blocked.rmdir()
    device.updater.check_now()
    device.until(state)


def test_a_mistake_in_the_program_does_not_end_the_thread(
    device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble() -> None:
        device.runner.in_gate = lambda: None
        raise ZeroDivisionError("oops")

    device.runner.in_gate = stumble
    device.start()
    device.until_true(lambda: device.store.record.deployment is not None and bool(device.runner.gated[1:]))
    device.good("1.0.0")
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("on_trial", [False, True])
def test_a_model_that_was_damaged_while_it_served_is_put_aside(
    device: Device, three: list[Published], on_trial: bool
) -> None:
    device.start().good("1.0.0")
    offer(device, three[1])
    if on_trial:
        device.until("trial", "2.0.0")
    else:
        device.good("2.0.0")
    device.source.offers_nothing = True
    with pytest.raises(DeliveryError, match="nothing delivered is damaged"):
        device.updater.model_damaged("a sentence").result(PATIENCE_S)
    path = device.folder / "slots" / three[1].release.slot / ARTEFACT
    path.chmod(0o644)
    path.write_bytes(b"?" * path.stat().st_size)
    assert device.updater.model_damaged("a sentence").result(PATIENCE_S) == "put aside"
    record = device.store.record
    assert record.current == installed(three[0].release)
    assert record.deployment is not None
    assert record.deployment.state == "rolled_back"
    assert (device.reason or "").startswith("its slot was damaged: ")
    assert device.bad == []
    assert device.runner.serving[-1] is None
    assert not device.store.slots.has(installed(three[1].release))
