from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeagent.bundle.reading import MANIFEST, Bundle
from edgeagent.delivery.channel import DeliveryError
from edgeagent.delivery.good_marks import GoodMarks
from edgeagent.delivery.journey import installed
from edgeagent.delivery.record import Installed, Record, State
from edgeagent.delivery.record_file import RECORD, NewerRecordError, read_record
from edgeagent.delivery.store import Store
from edgeagent.errors import EdgeagentError
from tests.bundle.tiny import ARTEFACT, OUTPUTS, PICTURE
from tests.delivery.folder_source import Published, publish
from tests.small_disk import on_small_disk

STRIKES = 3
WAY: tuple[State, ...] = ("verifying", "staged", "gating", "trial", "good")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Published]:
    """Three releases."""
    above = tmp_path_factory.mktemp("published")
    return [publish(above / str(number), f"{number}.0.0", number) for number in (1, 2, 3)]


class Device:
    """A state folder that agents start and end on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder)

    def crash(self) -> Store:
        """End without a word, and start again."""
        self.store._lock.release()
        self.store = Store(self.folder)
        return self.store

    def restart(self) -> Store:
        """End cleanly, and start again."""
        self.store.close()
        self.store = Store(self.folder)
        return self.store

    def fill(self, published: Published) -> Installed:
        """Seal a release into its slot."""
        model = installed(published.release)
        if not self.store.slots.has(model):
            shutil.copytree(published.folder, self.store.slots.partial(model), dirs_exist_ok=True)
            self.store.slots.seal(model, (MANIFEST, ARTEFACT, PICTURE, OUTPUTS))
        return model

    def bring(self, published: Published, until: State = "good") -> Installed:
        """Deploy a release as far as a state."""
        model = self.fill(published)
        self.store.begin(model, "channel")
        if until != "fetching":
            for state in WAY[: WAY.index(until) + 1]:
                self.store.move(state)
        return model

    def damage(self, model: Installed) -> None:
        """Change a byte of a slot."""
        path = self.folder / "slots" / model.slot / ARTEFACT
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    device = Device(tmp_path / "state" / "delivery")
    yield device
    device.store.close()


def version(bundle: Bundle | None) -> str | None:
    return None if bundle is None else bundle.manifest.version


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
    with pytest.raises(DeliveryError, match=f"cannot go from {until} to {state}|no model is on its way"):
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
    device.store.note(strikes=STRIKES - 1)
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
    assert GoodMarks(device.folder).models() == [second]
    assert [bad.slot for bad in record.bad] == [first.slot]


def test_a_damaged_slot_is_put_aside_and_the_one_before_serves(
    device: Device, three: list[Published], caplog: pytest.LogCaptureFixture
) -> None:
    first, second = device.bring(three[0]), device.bring(three[1])
    device.damage(second)
    assert version(device.restart().to_serve(STRIKES)) == "1.0.0"
    assert "it is put aside" in caplog.text
    assert (device.folder / "damaged" / second.slot).is_dir()
    assert (device.store.record.current, device.store.record.previous) == (first, None)
    device.damage(first)
    assert device.restart().to_serve(STRIKES) is None
    assert device.store.record.current is None
    assert GoodMarks(device.folder).models() == []


def test_a_damaged_trial_is_rolled_back_but_not_bad(device: Device, three: list[Published]) -> None:
    device.bring(three[0])
    device.damage(device.bring(three[1], "trial"))
    assert version(device.restart().to_serve(STRIKES)) == "1.0.0"
    deployment = device.store.record.deployment
    assert deployment is not None
    assert deployment.state == "rolled_back"
    assert device.store.record.bad == ()


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"current": 3}', b"\x00" * 400])
def test_a_lost_record_is_made_again_from_what_was_good(
    device: Device, three: list[Published], content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = device.bring(three[0]), device.bring(three[1])
    device.bring(three[2], "trial")
    if content is None:
        (device.folder / RECORD).unlink()
    else:
        (device.folder / RECORD).write_bytes(content)
    store = device.restart()
    assert store.rebuilt is not None
    assert "made again from the slots, good model: tiny 2.0.0" in caplog.text
    assert (store.record.current, store.record.previous) == (second, first)
    assert store.record.deployment is None
    assert version(store.to_serve(STRIKES)) == "2.0.0"
    assert device.restart().rebuilt is None


def test_nothing_unverified_is_chosen_for_a_lost_record(device: Device, three: list[Published]) -> None:
    first, second = device.bring(three[0]), device.bring(three[1])
    device.damage(second)
    (device.folder / RECORD).write_bytes(b"?")
    assert device.restart().record.current == first
    device.damage(first)
    (device.folder / RECORD).write_bytes(b"?")
    assert device.restart().record == Record()


def test_what_was_rolled_back_is_not_chosen_for_a_lost_record(device: Device, three: list[Published]) -> None:
    first = device.bring(three[0])
    device.bring(three[1])
    device.store.go_back("the operator")
    (device.folder / RECORD).unlink()
    assert device.restart().record.current == first


def test_a_mark_that_cannot_be_read_is_left_out(device: Device, three: list[Published]) -> None:
    first, second = device.bring(three[0]), device.bring(three[1])
    (device.folder / "good" / f"{second.slot}.json").write_bytes(b"{")
    (device.folder / RECORD).unlink()
    assert device.restart().record.current == first


def test_a_newer_record_is_refused_and_kept(device: Device, three: list[Published]) -> None:
    device.bring(three[0])
    device.store.close()
    path = device.folder / RECORD
    content = json.dumps({**json.loads(path.read_bytes()), "schema_version": 2}).encode()
    path.write_bytes(content)
    with pytest.raises(NewerRecordError, match=r"newer edgeagent \(schema 2, this one knows 1\)"):
        Store(device.folder)
    assert path.read_bytes() == content
    path.unlink()
    device.store = Store(device.folder)  # the lock was let go


def test_what_cannot_be_written_did_not_happen(device: Device, three: list[Published]) -> None:
    device.bring(three[0])
    before = device.store.record
    (device.folder / f"{RECORD}.new").mkdir()
    with pytest.raises(EdgeagentError, match="cannot be written"):
        device.bring(three[1], "fetching")
    assert device.store.record == before
    assert read_record(device.folder) == before


def test_a_trial_that_cannot_be_counted_does_not_serve(device: Device, three: list[Published]) -> None:
    device.bring(three[0])
    device.bring(three[1], "trial")
    (device.folder / f"{RECORD}.new").mkdir()
    assert version(device.crash().to_serve(STRIKES)) == "1.0.0"
    assert not device.store.trial_serves


def test_damage_on_a_disk_that_cannot_be_written(device: Device, three: list[Published]) -> None:
    device.bring(three[0])
    device.damage(device.bring(three[1]))
    (device.folder / f"{RECORD}.new").mkdir()
    assert version(device.crash().to_serve(STRIKES)) == "1.0.0"
    assert device.store.record.previous is None


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DeliveryError, match="make the state folder writable"):
        Store(tmp_path / "file" / "delivery")


READ_ONLY = """
import sys
from pathlib import Path
from edgeagent.delivery.store import Store
from edgeagent.errors import EdgeagentError
store = Store(Path(sys.argv[1]))
print(store.to_serve(3).manifest.version)
try:
    store.change(pinned="tiny 1.0.0")
except EdgeagentError as error:
    print(error)
store.close()
"""
REMOUNTED = 'mount --bind "$0" "$0"; mount -o remount,ro,bind "$0"; exec "$@"'


def test_a_read_only_disk_still_serves_the_good_model(device: Device, three: list[Published]) -> None:
    """Also to root, who may write everywhere but there."""
    device.bring(three[0])
    device.bring(three[1], "trial")
    device.store.close()
    mount = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-euc", REMOUNTED, str(device.folder)]
    probe = subprocess.run([*mount, "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("this machine gives no user namespace in which a folder can be mounted read-only")
    run = [*mount, sys.executable, "-c", READ_ONLY, str(device.folder)]
    done = subprocess.run(run, capture_output=True, text=True, check=True, env={**os.environ})
    serving, error = done.stdout.splitlines()
    assert serving == "1.0.0"
    assert "cannot be written (Read-only file system)" in error
    device.store = Store(device.folder)


FULL = """
import errno, shutil, sys
from pathlib import Path
from edgeagent.bundle.reading import MANIFEST
from edgeagent.delivery.journey import installed
from edgeagent.delivery.store import Store
from edgeagent.errors import EdgeagentError
from tests.bundle.tiny import ARTEFACT, OUTPUTS, PICTURE
from tests.delivery.folder_source import published

disk, bundles = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
store = Store(disk / "delivery")
models = []
for number, bundle in enumerate(bundles, 1):
    model = installed(published(bundle, f"{number}.0.0", number).release)
    shutil.copytree(bundle, store.slots.partial(model), dirs_exist_ok=True)
    store.slots.seal(model, (MANIFEST, ARTEFACT, PICTURE, OUTPUTS))
    store.begin(model, "channel")
    for state in ("verifying", "staged", "gating", "trial", "good")[: 5 if number == 1 else 4]:
        store.move(state)
    models.append(model)
store._lock.release()  # and no clean end
with (disk / "filler").open("wb", buffering=0) as filler:
    try:
        while True:
            filler.write(bytes(4096))
    except OSError as error:
        assert error.errno == errno.ENOSPC
store = Store(disk / "delivery")
print(store.to_serve(3).manifest.version, store.trial_serves)
try:
    store.move("good")
except EdgeagentError as error:
    print(error)
(disk / "filler").unlink()
store.move("good")
print(store.record.current.version)
"""


def test_a_full_disk_still_serves_the_good_model(tmp_path: Path, three: list[Published]) -> None:
    bundles = [str(published.folder) for published in three[:2]]
    done = on_small_disk(tmp_path, "256k", [sys.executable, "-c", FULL, str(tmp_path), *bundles])
    assert done.returncode == 0, done.stderr
    serving, error, after = done.stdout.splitlines()
    assert serving == "1.0.0 False"
    assert "No space left on device" in error
    assert after == "2.0.0"
