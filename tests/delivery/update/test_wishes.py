"""The tables of wishes, every cell: as data, in the documents, and on a device."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from edgeagent.delivery.update.deployment_steps import installed
from edgeagent.delivery.update.wishes import (
    CANCEL,
    FORGIVE,
    PIN,
    ROLLBACK,
    TEXTS,
    Action,
    Before,
    Named,
    Pending,
    Refusal,
    WishOutcome,
    wish_table,
)
from edgeagent.errors import DeliveryError
from tests.delivery.folder_source import Published
from tests.delivery.update.device import Device, offer

DOCUMENT = Path(__file__).parents[3] / "docs" / "delivery-device.md"
OUTCOMES = [*ROLLBACK.values(), *CANCEL.values(), *PIN.values(), *FORGIVE.values()]


def test_every_state_has_an_outcome() -> None:
    assert set(ROLLBACK) == set(product(get_args(Pending), get_args(Before)))
    assert set(CANCEL) == set(get_args(Pending))
    assert set(PIN) == {*product(get_args(Pending), get_args(Named))} - {("none", "in_progress")}
    assert set(FORGIVE) == {True, False}
    assert set(TEXTS) == {*get_args(Action), *get_args(Refusal)}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_does_something_or_says_why_not(outcome: WishOutcome) -> None:
    assert bool(outcome.actions) != (outcome.refusal is not None)


def test_the_document_has_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    commands = {command for command, _, _ in wish_table()}
    assert [row for row in rows if row[0] in commands] == wish_table()


def withdraw(device: Device, number: int) -> None:
    """Withdraw what is offered as number, and have the device read it."""
    one = device.source.offered[number]
    withdrawn = one.release.model_copy(update={"withdrawn": "misses trams"})
    device.source.offered[number] = Published(withdrawn, one.folder, one.hashes)
    device.until_true(lambda: one.release.slot in device.store.record.withdrawn)


def two_good(device: Device, three: list[Published]) -> None:
    device.start().good("1.0.0")
    offer(device, three[1])
    device.good("2.0.0")


def pending(device: Device, three: list[Published], state: Pending) -> None:
    """Have a third release come as far as ``state``."""
    if state == "none":
        return
    device.source.waits = "outside its window" if state == "update" else None
    offer(device, three[2])
    device.until("staged" if state == "update" else "trial", "3.0.0")


@pytest.mark.parametrize("state", get_args(Pending))
@pytest.mark.parametrize("before", get_args(Before))
def test_rollback(device: Device, three: list[Published], state: Pending, before: Before) -> None:
    """Of a trial the model before is the current one, which is the second of the two good ones here."""
    if before == "nothing":
        device.source.offered.clear()
        device.start()
    elif before == "configured" and state != "trial":
        device.start().good("1.0.0")
    elif before == "configured":
        device.source.offered.clear()
        device.start()
    else:
        two_good(device, three)
    if before == "withdrawn":
        withdraw(device, 1 if state == "trial" else 0)
    pending(device, three, state)
    serving = device.store.record.current
    device.source.offers_nothing = True
    if before == "nothing" and state != "trial":
        with pytest.raises(DeliveryError, match="nothing to go back to"):
            device.updater.rollback()
        return
    answer = device.updater.rollback()
    record = device.store.record
    current = record.current.version if record.current else None
    if state == "trial":
        expected = {"good": "2.0.0", "withdrawn": "1.0.0"}.get(before)
        assert three[2].release.slot in device.bad
    else:
        expected = {"good": "1.0.0"}.get(before)
        assert serving is not None
        assert device.bad == [serving.slot]
    assert current == expected
    assert answer == (f"back to tiny {expected}" if expected else "back to the configured bundle")
    assert device.runner.serving[-1] is None
    assert device.store.pending() is None


def test_an_update_that_gave_way_to_a_rollback_begins_again(device: Device, three: list[Published]) -> None:
    two_good(device, three)
    pending(device, three, "update")
    device.updater.rollback()
    device.source.waits = None
    device.updater.check_now()
    device.good("3.0.0")
    assert device.bad == [three[1].release.slot]


@pytest.mark.parametrize("state", get_args(Pending))
def test_cancel(device: Device, three: list[Published], state: Pending) -> None:
    two_good(device, three)
    pending(device, three, state)
    device.source.offers_nothing = True
    if state != "update":
        with pytest.raises(DeliveryError, match="on trial" if state == "trial" else "no deployment"):
            device.updater.cancel()
        return
    assert device.updater.cancel() == "cancelled"
    assert device.bad == [three[2].release.slot]


@pytest.mark.parametrize(("state", "named"), PIN)
def test_pin(device: Device, three: list[Published], state: Pending, named: Named) -> None:
    two_good(device, three)
    pending(device, three, state)
    before = device.store.record.deployment
    version = "3.0.0" if named == "in_progress" else "9.0.0" if named == "unknown" else "1.0.0"
    device.source.offers_nothing = True
    if named == "withdrawn":
        withdraw(device, 0)
    device.source.board = "it is not for rpi5, any" if named == "other_board" else None
    outcome = PIN[state, named]
    if outcome.refusal is not None:
        with pytest.raises(DeliveryError):
            device.updater.pin("tiny", version)
        assert device.store.record.pinned is None
        assert device.store.record.deployment == before
        return
    assert device.updater.pin("tiny", version) == f"pinned to tiny {version}"
    assert device.store.record.pinned == f"tiny {version}"
    ended = named == "offered" and state != "none"
    assert (device.store.pending() is None) == (ended or state == "none")
    assert device.bad == []


@pytest.mark.parametrize("bad", FORGIVE)
def test_forgive(device: Device, three: list[Published], bad: bool) -> None:
    two_good(device, three)
    device.source.offers_nothing = True
    if not bad:
        with pytest.raises(DeliveryError, match="is not bad on this device"):
            device.updater.forgive("tiny", "2.0.0")
        return
    device.updater.rollback()
    assert device.updater.forgive("tiny", "2.0.0") == "tiny 2.0.0 may be tried again"
    assert device.bad == []


def test_a_withdrawn_model_without_another_is_left(device: Device, three: list[Published]) -> None:
    two_good(device, three)
    device.source.offers_nothing, device.source.leave = True, "tiny 2.0.0, which serves, is withdrawn"
    device.updater.check_now()
    device.until("rolled_back", "2.0.0")
    record = device.store.record
    assert (record.current, record.previous) == (installed(three[0].release), None)
    assert device.bad == []
    assert device.reason == "tiny 2.0.0, which serves, is withdrawn"
    device.until_true(lambda: device.store.record.current is None)
