from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from edgeagent.bundle.reading import MANIFEST
from edgeagent.delivery.state.record import Installed
from edgeagent.delivery.state.slots import SEAL, ModelSlots
from edgeagent.delivery.update.deployment_steps import installed
from edgeagent.errors import BundleError, DeliveryError
from tests.bundle.tiny import ARTEFACT, OUTPUTS, PICTURE
from tests.delivery.folder_source import Published, publish
from tests.delivery.runners import run_once

FILES = (MANIFEST, ARTEFACT, PICTURE, OUTPUTS)


@pytest.fixture
def one(tmp_path: Path) -> Published:
    return publish(tmp_path / "published" / "one")


@pytest.fixture
def slots(tmp_path: Path) -> ModelSlots:
    return ModelSlots(tmp_path / "delivery")


def fetch(slots: ModelSlots, published: Published) -> Installed:
    """Put all files of a release into its partial folder."""
    model = installed(published.release)
    shutil.copytree(published.folder, slots.partial(model), dirs_exist_ok=True)
    return model


def filled(slots: ModelSlots, published: Published) -> Installed:
    """Return a model that has a slot."""
    model = fetch(slots, published)
    slots.seal(model, FILES)
    return model


def age(slots: ModelSlots, model: Installed, seconds: float) -> None:
    """Make a slot older than it is."""
    seal = slots.open(model).directory / SEAL
    then = seal.stat().st_mtime - seconds
    os.utime(seal, (then, then))


def test_a_sealed_slot_opens_and_runs(slots: ModelSlots, one: Published, tmp_path: Path) -> None:
    model = fetch(slots, one)
    (slots.partial(model) / "left.part").write_bytes(b"half")
    bundle = slots.seal(model, FILES)
    assert slots.open(model) == bundle
    assert bundle.directory == tmp_path / "delivery" / "slots" / model.slot
    run_once(bundle)
    assert slots.installed() == [model]
    assert not (tmp_path / "delivery" / "partial" / model.slot).exists()
    assert not (bundle.directory / "left.part").exists()


def test_the_files_of_a_slot_are_read_only(slots: ModelSlots, one: Published) -> None:
    folder = slots.open(filled(slots, one)).directory
    for path in folder.rglob("*"):
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o444, path


def test_a_slot_is_never_overwritten(slots: ModelSlots, one: Published) -> None:
    model = filled(slots, one)
    fetch(slots, one)
    with pytest.raises(DeliveryError, match="cannot be changed"):
        slots.seal(model, FILES)
    assert slots.open(model).manifest.version == "1.0.0"


def test_only_part_of_a_bundle_may_be_there(slots: ModelSlots, one: Published) -> None:
    model = fetch(slots, one)
    with pytest.raises(BundleError, match="none of the artefacts"):
        slots.seal(model, [PICTURE])
    (slots.partial(model) / PICTURE).unlink()
    with pytest.raises(BundleError, match=f"{PICTURE} is missing"):
        slots.seal(model, FILES)
    assert slots.installed() == []


@pytest.mark.parametrize("file", FILES)
def test_damage_is_found_before_sealing_and_after(slots: ModelSlots, one: Published, file: str) -> None:
    model = fetch(slots, one)
    path = slots.partial(model) / file
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(BundleError):
        slots.seal(model, FILES)
    path.write_bytes(whole)
    sealed = slots.seal(model, FILES).directory / file
    sealed.chmod(0o644)
    sealed.write_bytes(whole[:-1])
    with pytest.raises(BundleError):
        slots.open(model)


def test_a_slot_holds_what_its_name_says(slots: ModelSlots, one: Published, tmp_path: Path) -> None:
    other = publish(tmp_path / "published" / "two", "2.0.0", 2)
    model = fetch(slots, one)
    shutil.copytree(other.folder, slots.partial(model), dirs_exist_ok=True)
    with pytest.raises(BundleError, match=r"holds tiny 2\.0\.0 .*, not tiny 1\.0\.0"):
        slots.seal(model, FILES)


def test_a_damaged_seal_is_no_slot(slots: ModelSlots, one: Published) -> None:
    model = filled(slots, one)
    seal = slots.open(model).directory / SEAL
    seal.chmod(0o644)
    seal.write_bytes(b"{")
    with pytest.raises(BundleError, match=f"{SEAL} is damaged"):
        slots.open(model)
    assert slots.installed() == []


def test_a_slot_that_is_put_aside_makes_room_for_a_new_one(slots: ModelSlots, one: Published) -> None:
    model = filled(slots, one)
    for _ in range(2):
        slots.quarantine(model)
        with pytest.raises(BundleError, match="no sealed model"):
            slots.open(model)
        filled(slots, one)
    assert slots.open(model).manifest.version == "1.0.0"


def test_old_and_heavy_slots_go_and_those_to_keep_stay(slots: ModelSlots, tmp_path: Path) -> None:
    models = []
    for number in range(1, 5):
        models.append(filled(slots, publish(tmp_path / f"b{number}", f"{number}.0.0", number)))
        age(slots, models[-1], 1000.0 * (5 - number))
    size = slots.sizes()[models[0].slot]
    keep = {models[0].slot}
    assert slots.prune(keep, 10 * size, 1e9) == []
    assert slots.prune(keep, round(2.5 * size), 1e9) == [models[1].slot]
    assert slots.prune(keep, 10 * size, 1500.0) == [models[2].slot]
    assert slots.prune(keep, 0, 1e9) == [models[3].slot]
    assert slots.prune(keep, 0, 0.0) == []
    assert slots.installed() == [models[0]]


def test_what_was_fetched_for_nothing_goes_too(slots: ModelSlots, one: Published, tmp_path: Path) -> None:
    wanted = fetch(slots, one)
    other = fetch(slots, publish(tmp_path / "two", "2.0.0", 2))
    damaged = filled(slots, publish(tmp_path / "three", "3.0.0", 3))
    slots.quarantine(damaged)
    assert slots.prune({wanted.slot}, 0, 1e9) == []
    assert slots.fetched(wanted) > 0
    assert slots.fetched(other) == 0
    assert not list((tmp_path / "delivery" / "damaged").iterdir())
