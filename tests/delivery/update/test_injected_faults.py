"""An exception nobody expected, in each call of the updater's thread: thread and update go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from edgeagent.delivery.state.slots import ModelSlots
from edgeagent.delivery.state.store import Store
from edgeagent.errors import DeliveryError
from tests.delivery.folder_source import FolderSource
from tests.delivery.runners import OneEngineRunner
from tests.delivery.update.device import PATIENCE_S, Device

CALLS: tuple[tuple[type, str], ...] = (
    (FolderSource, "target"),
    (FolderSource, "serve_hindrance"),
    (FolderSource, "fetch"),
    (OneEngineRunner, "usable_files"),
    (OneEngineRunner, "gate"),
    (Store, "begin"),
    (Store, "move"),
    (Store, "change"),
    (Store, "keep"),
    (ModelSlots, "partial"),
    (ModelSlots, "seal"),
    (ModelSlots, "open"),
    (ModelSlots, "has"),
    (ModelSlots, "prune"),
)


def fails_once(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, error: Exception) -> list[str]:
    """Have the first call in the updater's thread raise an error; return the names of the calls that did."""
    original, done = getattr(owner, name), list[str]()

    def call(*arguments: Any, **named: Any) -> Any:
        if threading.current_thread().name == "updater" and not done:
            done.append(name)
            raise error
        return original(*arguments, **named)

    monkeypatch.setattr(owner, name, call)
    return done


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError(5, "Input/output error")])
@pytest.mark.parametrize(("owner", "name"), CALLS)
def test_an_update_goes_on_after_a_failure_of_any_call(
    device: Device, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, error: Exception
) -> None:
    done = fails_once(monkeypatch, owner, name, error)
    device.start()
    thread = device.updater._thread
    device.until_true(lambda: done == [name])
    device.until_true(lambda: _is_on_trial(device))
    device.good("1.0.0")
    assert thread.is_alive()


@pytest.mark.parametrize("error", [RuntimeError("a bug"), DeliveryError("root.json cannot be read")])
def test_a_receiver_that_fails_ends_no_thread(device: Device, error: Exception) -> None:
    told = device.updater._on_change
    calls: list[int] = []

    def fail(record: Any, share: float | None) -> None:
        told(record, share)
        calls.append(1)
        raise error

    device.updater._on_change = fail
    device.start().good("1.0.0")
    assert device.updater.rollback() == "back to the configured bundle"
    assert calls
    assert device.updater._thread.is_alive()


@pytest.mark.parametrize(
    "command",
    [
        lambda device: device.updater.rollback(),
        lambda device: device.updater.pin("tiny", "1.0.0"),
        lambda device: device.updater.unpin(),
    ],
)
def test_a_command_that_fails_ends_no_thread(
    device: Device, monkeypatch: pytest.MonkeyPatch, command: Callable[[Device], str]
) -> None:
    device.start().good("1.0.0")
    device.until_true(lambda: device.store.pending() is None)
    fails_once(monkeypatch, Store, "change", RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        command(device)
    assert device.updater.check_now() == "checking"
    assert device.updater.trial_ended(None).exception(PATIENCE_S) is not None
    assert device.updater._thread.is_alive()


def _is_on_trial(device: Device) -> bool:
    deployment = device.store.pending()
    return deployment is not None and deployment.state == "trial"
