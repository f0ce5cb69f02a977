"""The updater's thread, on real files and a real engine; only the source is a folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeagent.delivery import updater as updater_module
from edgeagent.delivery.channel import DeliveryError
from edgeagent.delivery.errors import NoRoomError, RefusedError, UnreachableError
from edgeagent.delivery.journey import REFUSALS, installed
from edgeagent.delivery.record import Record
from edgeagent.delivery.settings import DeliverySettings, ProbationSettings
from edgeagent.delivery.store import Store
from edgeagent.delivery.updater import Updater
from edgeagent.errors import EngineError
from tests.bundle.tiny import ARTEFACT, PICTURE
from tests.delivery.boards import OneEngineBoard
from tests.delivery.folder_source import FolderSource, Published, publish

LONG_S = 3600.0
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Published]:
    """Three releases."""
    above = tmp_path_factory.mktemp("published")
    return [publish(above / str(number), f"{number}.0.0", number) for number in (1, 2, 3)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AGAIN_FIRST_S", "AGAIN_LONGEST_S", "ASK_AGAIN_S"):
        monkeypatch.setattr(updater_module, name, 0.01)


class Device:
    """A device whose agents end and start; waits for what its updater says."""

    def __init__(self, folder: Path, source: FolderSource) -> None:
        self.folder, self.source, self.board = folder, source, OneEngineBoard()
        self.settings = DeliverySettings(
            repository="/nowhere", root=Path("/nowhere"), probation=ProbationSettings(strikes=3)
        )
        self.now = 1000.0
        self.told: list[tuple[Record, float | None]] = []
        self._changed = threading.Condition()
        self.store = Store(folder)
        self.store.to_serve(3)
        self.updater = self._make()

    def _make(self) -> Updater[str]:
        return Updater(
            self.store,
            self.source,
            self.board,
            self.settings,
            between_looks=lambda: LONG_S,
            on_change=self._tell,
            clock=lambda: self.now,
        )

    def _tell(self, record: Record, progress: float | None) -> None:
        with self._changed:
            self.told.append((record, progress))
            self._changed.notify_all()

    def start(self) -> Device:
        self.updater.start()
        return self

    def stop(self) -> None:
        assert self.updater.stop(PATIENCE_S)
        self.store.close()

    def restart(self, **settings: Any) -> Device:
        """End cleanly, and start another agent."""
        self.stop()
        return self.again(**settings)

    def again(self, **settings: Any) -> Device:
        self.settings = self.settings.model_copy(update=settings)
        self.store = Store(self.folder)
        self.store.to_serve(3)
        self.updater = self._make()
        return self.start()

    def until(self, state: str, version: str | None = None) -> None:
        """Wait until the deployment is in a state."""

        def reached() -> bool:
            deployment = self.store.record.deployment
            right = deployment is not None and version in (None, deployment.model.version)
            return right and deployment is not None and deployment.state == state

        with self._changed:
            assert self._changed.wait_for(reached, PATIENCE_S), self.store.record.deployment

    def until_true(self, reached: Callable[[], bool]) -> None:
        """Wait until something is so; the updater answers commands meanwhile."""
        for _ in range(10_000):
            if reached():
                return
            self.updater.check_now()
        raise AssertionError("it does not come to that")

    def until_waits(self) -> None:
        """Wait until a command waits for the updater; called from its thread."""
        waiting = threading.Event()
        while not self.updater._commands.waits():
            waiting.wait(0.001)

    def good(self, version: str) -> None:
        """Let the trial of a version be good."""
        self.until("trial", version)
        assert self.updater.trial_ended(None).result(PATIENCE_S) == "good"

    @property
    def reason(self) -> str | None:
        deployment = self.store.record.deployment
        return deployment.reason if deployment else None

    @property
    def bad(self) -> list[str]:
        return [bad.slot for bad in self.store.record.bad]


@pytest.fixture
def device(tmp_path: Path, three: list[Published]) -> Iterator[Device]:
    """A device to which the first of three releases is offered; nothing runs yet."""
    device = Device(tmp_path / "delivery", FolderSource(three[0]))
    yield device
    if device.updater._thread.is_alive():
        device.stop()


def offer(device: Device, *published: Published) -> None:
    device.source.offered.extend(published)
    device.updater.check_now()


def test_from_the_wish_to_good(device: Device, three: list[Published]) -> None:
    device.start().good("1.0.0")
    states = [record.deployment.state for record, _ in device.told if record.deployment]
    ordered = sorted(set(states), key=states.index)
    assert ordered == ["fetching", "verifying", "staged", "gating", "trial", "good"]
    shares = [share for _, share in device.told if share is not None]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert device.board.serving == ["1.0.0"]
    record = device.store.record
    assert record.current == installed(three[0].release)
    assert record.deployment is not None
    assert record.deployment.bytes == sum(three[0].release.files.values())


def test_only_what_the_board_needs_is_fetched(device: Device, three: list[Published]) -> None:
    device.board.wanted = [ARTEFACT, PICTURE]  # not the reference outputs
    device.start().until("rejected")
    assert "outputs.npz is missing" in (device.reason or "")
    assert set(device.source.fetched) == {"manifest.yaml", ARTEFACT, PICTURE}
    assert device.bad == [three[0].release.slot]


def test_a_bundle_without_anything_for_this_board_is_refused(device: Device) -> None:
    device.board.wanted = ["engines/other.hef"]
    device.start().until("rejected")
    assert "does not offer engines/other.hef" in (device.reason or "")
    assert len(device.bad) == 1
    assert device.board.gated == []


def test_a_failed_gate_is_remembered_and_the_old_model_goes_on(
    device: Device, three: list[Published]
) -> None:
    device.start().good("1.0.0")

    def refuse() -> None:
        raise DeliveryError("too slow here")

    device.board.in_gate = refuse
    offer(device, three[1])
    device.until("rejected", "2.0.0")
    assert (device.reason, device.bad) == ("too slow here", [three[1].release.slot])
    assert device.board.serving == ["1.0.0"]
    assert device.store.record.current == installed(three[0].release)


def test_a_gate_that_could_not_tell_is_run_again(device: Device) -> None:
    trouble = [EngineError("the delegate is busy")]

    def hinder() -> None:
        if trouble:
            raise trouble.pop()

    device.board.in_gate = hinder
    device.start().until("gating")
    device.until_true(lambda: not trouble)
    device.now += 1
    device.updater.check_now()
    device.good("1.0.0")
    assert device.board.gated == ["1.0.0", "1.0.0"]


def test_a_model_that_cannot_be_started_is_rolled_back(device: Device, three: list[Published]) -> None:
    def refuse(version: str | None) -> None:
        if version is not None:
            raise EngineError("no delegate serves")

    device.board.on_serve = refuse
    device.start().until("rolled_back")
    assert device.reason == "no delegate serves"
    assert device.bad == [three[0].release.slot]


def test_trial_is_written_before_it_serves(device: Device) -> None:
    states = []
    device.board.on_serve = lambda version: states.append(
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
    assert device.board.serving == ["1.0.0", "2.0.0", None]
    assert device.bad == [three[1].release.slot]
    with pytest.raises(DeliveryError, match="no model is in trial"):
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
    assert device.board.gated == ["2.0.0"]
    assert device.bad == []


def test_a_newer_wish_wins_over_a_trial(device: Device, three: list[Published]) -> None:
    device.start().until("trial", "1.0.0")
    offer(device, three[1])
    device.good("2.0.0")
    assert device.board.serving == ["1.0.0", None, "2.0.0"]
    assert device.bad == []


@pytest.mark.parametrize("state", ["staged", "trial"])
def test_a_withdrawn_release_does_not_go_on(device: Device, three: list[Published], state: str) -> None:
    device.source.waits = "outside its window" if state == "staged" else None
    device.start().until(state)
    withdrawn = three[0].release.model_copy(update={"withdrawn": "finds cats in dogs"})
    device.source.offered[:] = [Published(withdrawn, three[0].folder, three[0].hashes)]
    device.source.wishes_nothing = True
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
    device.source.wishes_nothing = True
    device.updater.check_now()
    device.until_true(lambda: device.updater.state().waits == "outside its window")
    device.source.waits = None
    device.now += 1
    device.updater.check_now()
    device.good("1.0.0")


def test_waiting_for_the_window_is_not_held_against_it(device: Device) -> None:
    device.source.waits = "outside its window"
    device.start().until("staged")
    device.until_true(lambda: device.updater.state().waits is not None)
    device.now += 10 * device.settings.deadline
    device.source.waits = None
    device.updater.check_now()
    device.good("1.0.0")


def test_trouble_of_the_network_is_tried_again_until_the_deadline(device: Device) -> None:
    device.source.fetch_trouble = UnreachableError("the server does not answer")
    device.start().until("fetching")
    device.until_true(lambda: device.updater.state().trouble is not None)
    device.now += device.settings.deadline + 1
    device.updater.check_now()
    device.until("rejected")
    assert "does not serve after" in (device.reason or "")
    assert "the server does not answer" in (device.reason or "")
    assert device.bad == []
    device.source.fetch_trouble = None
    device.updater.check_now()
    device.good("1.0.0")


def test_the_deadline_counts_over_restarts_and_not_while_the_device_is_off(device: Device) -> None:
    device.source.fetch_trouble = UnreachableError("the server does not answer")
    device.start().until("fetching")
    device.now += 0.6 * device.settings.deadline
    device.stop()
    device.now += 10 * device.settings.deadline
    device.again()
    device.until_true(lambda: device.updater.state().trouble is not None)
    deployment = device.store.record.deployment
    assert deployment is not None
    assert deployment.state == "fetching"
    assert 0.6 <= deployment.spent_s / device.settings.deadline < 0.7
    device.now += 0.6 * device.settings.deadline
    device.updater.check_now()
    device.until("rejected")


def test_a_look_that_fails_leaves_what_has_begun_alone(device: Device) -> None:
    device.source.waits = "outside its window"
    device.start().until("staged")
    device.source.look_trouble = RefusedError("snapshot.json has been rolled back")
    device.updater.check_now()
    device.until_true(lambda: "rolled back" in device.updater.status())
    device.source.waits = None
    device.updater.check_now()
    device.good("1.0.0")


def test_a_file_that_does_not_verify_is_bad_after_some_attempts(
    device: Device, three: list[Published]
) -> None:
    device.source.fetch_trouble = RefusedError("its sha256 is another")
    device.start()
    device.until_true(lambda: device.store.record.deployment is not None and device.store.pending() is None)
    assert device.reason == "its sha256 is another"
    assert len(device.source.fetched) == REFUSALS
    assert device.bad == [three[0].release.slot]


def test_another_manifest_than_the_index_names_is_refused(device: Device, three: list[Published]) -> None:
    release = three[0].release.model_copy(update={"manifest_sha256": "0" * 64})
    device.source.offered[:] = [Published(release, three[0].folder, three[0].hashes)]
    device.start().until("rejected")
    assert "is not the manifest that the index of the channel names" in (device.reason or "")


def test_a_full_disk_is_pruned_and_tried_again(device: Device, three: list[Published]) -> None:
    device.start()
    for number in range(3):
        offer(device, *([three[number]] if number else []))
        device.good(f"{number + 1}.0.0")
    oldest = installed(three[0].release)
    assert device.store.slots.has(oldest)
    device.source.fetch_trouble = NoRoomError("the disk has no room")
    offer(device, publish(device.folder.parent / "four", "4.0.0", 4))
    device.until("fetching", "4.0.0")
    device.until_true(lambda: not device.store.slots.has(oldest))
    assert device.store.slots.has(installed(three[1].release))
    device.source.fetch_trouble = None
    device.updater.check_now()
    device.good("4.0.0")


def test_a_fetch_goes_on_after_a_restart_where_it_was(device: Device, three: list[Published]) -> None:
    def pull_the_plug() -> None:
        device.source.on_piece = lambda: None
        device.source.fetch_trouble = UnreachableError("the cable is out")
        raise UnreachableError("the cable is out")

    device.source.on_piece = pull_the_plug
    device.start()
    device.until_true(lambda: device.updater.state().trouble is not None)
    device.stop()
    device.source.fetch_trouble = None
    device.again().good("1.0.0")
    assert device.source.copied == sum(three[0].release.files.values())


def test_damage_of_what_was_fetched_is_fetched_again(device: Device, three: list[Published]) -> None:
    model = installed(three[0].release)

    def damage(record: Record, share: float | None) -> None:
        path = device.store.slots.partial(model) / ARTEFACT
        if record.deployment and record.deployment.state == "verifying" and path.is_file() and not done:
            done.append(path.write_bytes(b"?" * path.stat().st_size))
        device._tell(record, share)

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
    device.until_true(lambda: device.updater.state().waits == "outside its window")
    device.source.waits = None
    device.updater.check_now()
    device.good("1.0.0")


def test_a_staged_model_goes_on_without_the_network(device: Device) -> None:
    device.source.waits = "outside its window"
    device.start().until("staged")
    device.stop()
    device.source.waits = None
    device.source.look_trouble = device.source.fetch_trouble = UnreachableError("no network")
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
        device.board.in_gate = lambda: None
        threading.Thread(target=lambda: answers.append(device.updater.cancel())).start()
        device.until_waits()

    device.board.in_gate = cancel
    device.start().until("rejected")
    assert device.board.serving == []


def test_cancel_needs_something_to_cancel(device: Device) -> None:
    device.source.offered.clear()
    device.start()
    with pytest.raises(DeliveryError, match="no model is on its way"):
        device.updater.cancel()


def test_a_trial_is_rolled_back_instead(device: Device, three: list[Published]) -> None:
    device.start().good("1.0.0")
    offer(device, three[1])
    device.until("trial", "2.0.0")
    with pytest.raises(DeliveryError, match="is in trial; roll it back"):
        device.updater.cancel()
    assert device.updater.rollback() == "back to tiny 1.0.0"
    assert device.board.serving == ["1.0.0", "2.0.0", None]
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
    assert device.board.serving == ["1.0.0", "2.0.0", None, None]


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
    device.source.wishes_nothing = True
    device.updater.pin("tiny", "1.0.0")
    device.until("rejected", "2.0.0")
    assert device.reason == "gave way to tiny 1.0.0, which was pinned"


def test_pin_refuses_what_is_withdrawn(device: Device, three: list[Published]) -> None:
    withdrawn = three[0].release.model_copy(update={"withdrawn": "wrong"})
    device.source.offered[:] = [Published(withdrawn, three[0].folder, three[0].hashes)]
    device.source.wishes_nothing = True
    device.start()
    with pytest.raises(DeliveryError, match=r"tiny 1\.0\.0 is withdrawn: wrong"):
        device.updater.pin("tiny", "1.0.0")


def test_an_action_of_hawkbit_is_done_once(device: Device, three: list[Published]) -> None:
    device.source.action = "4711"
    device.board.in_gate = lambda: (_ for _ in ()).throw(DeliveryError("too slow here"))
    device.start().until("rejected")
    assert device.store.record.deployment is not None
    assert device.store.record.deployment.action == "4711"
    device.updater.check_now()
    device.updater.check_now()
    assert device.board.gated == ["1.0.0"]
    device.source.action = "4712"
    device.updater.check_now()
    device.until_true(lambda: (device.reason or "").startswith("bad on this device"))
    assert device.board.gated == ["1.0.0"]


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
    assert device.board.serving == (["1.0.0"] if verdict is None else ["1.0.0", None])
    assert device.store.pending() is not None
    blocked.rmdir()
    device.updater.check_now()
    device.until(state)


def test_a_mistake_in_the_program_does_not_end_the_thread(
    device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble() -> None:
        device.board.in_gate = lambda: None
        raise ZeroDivisionError("oops")

    device.board.in_gate = stumble
    device.start()
    device.until_true(lambda: device.store.record.deployment is not None and bool(device.board.gated[1:]))
    device.good("1.0.0")
    assert "ZeroDivisionError" in caplog.text
