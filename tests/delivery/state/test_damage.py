from __future__ import annotations

import json

import pytest

from edgeagent.delivery.state.known_good_models import KnownGoodModels
from edgeagent.delivery.state.record import Record
from edgeagent.delivery.state.record_file import RECORD, NewerRecordError
from edgeagent.delivery.state.store import Store
from tests.delivery.folder_source import Published
from tests.delivery.state.device import STRIKES, Device, version


def test_a_damaged_slot_is_put_aside_and_the_one_before_serves(
    device: Device, three: list[Published], caplog: pytest.LogCaptureFixture
) -> None:
    first, second = device.bring(three[0]), device.bring(three[1])
    device.damage(second)
    assert version(device.restart().to_serve(STRIKES)) == "1.0.0"
    assert "it is quarantined" in caplog.text
    assert (device.folder / "damaged" / second.slot).is_dir()
    assert (device.store.record.current, device.store.record.previous) == (first, None)
    device.damage(first)
    assert device.restart().to_serve(STRIKES) is None
    assert device.store.record.current is None
    assert KnownGoodModels(device.folder).models() == []


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
    assert "rebuilt from the slots, good model: tiny 2.0.0" in caplog.text
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


def test_an_entry_that_cannot_be_read_is_ignored(device: Device, three: list[Published]) -> None:
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


def test_a_record_that_cannot_be_read_is_rebuilt(device: Device, three: list[Published]) -> None:
    good = device.bring(three[0])
    (device.folder / RECORD).unlink()
    (device.folder / RECORD).mkdir()  # as a bad sector, it can be neither read nor replaced
    assert device.restart().record.current == good
    assert device.store.rebuilt is not None
    assert "cannot be read" in device.store.rebuilt
