"""hawkBit drives the real updater: a model goes all the way, is cancelled, and fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgeagent.delivery.hawkbit.conversation import Hawkbit, attributes
from edgeagent.delivery.hawkbit.ddi import Ddi
from edgeagent.delivery.hawkbit.source import HawkbitSource
from edgeagent.delivery.repository.channel import Channel
from edgeagent.delivery.state.store import Store
from edgeagent.delivery.update.commands import Commands
from edgeagent.delivery.update.protocols import DeploymentContext
from edgeagent.delivery.update.schedule import CheckSchedule
from edgeagent.delivery.update.updater import Updater
from edgeagent.settings.sections.delivery import DeliverySettings, HawkbitSettings
from tests.broker import PATIENCE
from tests.delivery.folder_source import FolderSource, publish
from tests.delivery.hawkbit.server import CONTROLLER, TOKEN, Action, HawkbitServer
from tests.delivery.releases import device
from tests.delivery.runners import OneEngineRunner


class FolderRepository(FolderSource):
    """A channel whose files lie in folders."""

    def refresh(self) -> Channel:
        return Channel(channel="stable", releases=tuple(one.release for one in self.offered))

    def expiring(self) -> str | None:
        """Return None, as nothing expires."""
        return None

    def known(self) -> Channel | None:
        return self.refresh()


@dataclass(frozen=True)
class Fleet:
    """A device, its runner, and the server that drives it."""

    server: HawkbitServer
    updater: Updater[str]
    runner: OneEngineRunner
    store: Store
    repository: FolderRepository

    def wait_for(self, reached: Callable[[], bool]) -> None:
        with self.server.changed:
            assert self.server.changed.wait_for(reached, PATIENCE), (
                self.updater.status(),
                [action.history for action in self.server.actions.values()],
            )


@contextmanager
def driven(tmp_path: Path) -> Iterator[Fleet]:
    repository = FolderRepository(
        publish(tmp_path / "one", "1.0.0", 1), publish(tmp_path / "two", "1.1.0", 2)
    )
    token = tmp_path / "token"
    token.write_text(TOKEN, encoding="ascii")
    store, runner = Store(tmp_path / "state"), OneEngineRunner()
    source = HawkbitSource(repository, device, lambda: store.record)
    settings = DeliverySettings(repository="/", root=tmp_path)
    with HawkbitServer() as server:
        server.sleep = "00:00:01"
        ddi = Ddi(HawkbitSettings(url=server.url, token_file=token), CONTROLLER)
        updater = Updater(
            DeploymentContext(store, source, runner),
            settings,
            CheckSchedule(lambda: 3600.0),
            lambda record, progress: hawkbit.notify(progress),
        )
        hawkbit = Hawkbit(
            ddi, source, lambda: store.record, lambda: attributes(device(), store.record, None), updater
        )
        updater.start()
        hawkbit.start()
        try:
            yield Fleet(server, updater, runner, store, repository)
        finally:
            hawkbit.stop()
            assert updater.stop()
            store.close()


def said(action: Action) -> list[str]:
    return [" ".join(messages) for status, messages in action.history if status != "RETRIEVED"]


def test_a_model_goes_all_the_way(tmp_path: Path) -> None:
    with driven(tmp_path) as fleet:
        action = fleet.server.assign(("tiny", "1.0.0"))
        fleet.wait_for(lambda: "tiny 1.0.0 serves on probation" in said(action))
        fleet.updater.trial_ended(None).result(PATIENCE)
        fleet.wait_for(lambda: not action.active)
        assert action.status == "FINISHED"
        assert fleet.store.record.current is not None
        assert fleet.runner.serving == ["1.0.0"]
        fleet.wait_for(lambda: fleet.server.attributes.get("model") == "tiny 1.0.0")


def test_a_model_that_fails_closes_the_action_and_is_refused_next_time(tmp_path: Path) -> None:
    with driven(tmp_path) as fleet:
        action = fleet.server.assign(("tiny", "1.0.0"))
        fleet.wait_for(lambda: "tiny 1.0.0 serves on probation" in said(action))
        fleet.updater.trial_ended("found nothing any more").result(PATIENCE)
        fleet.wait_for(lambda: not action.active)
        assert said(action)[-1] == "tiny 1.0.0 was rolled back: found nothing any more"
        again = fleet.server.assign(("tiny", "1.0.0"))
        fleet.wait_for(lambda: not again.active)
        assert said(again) == ["tiny 1.0.0: bad on this device: found nothing any more"]
        assert (
            Commands(fleet.updater)
            .answer(b'{"request_id": "a", "command": "forgive", "name": "tiny", "version": "1.0.0"}')
            .ok
        )
        once_more = fleet.server.assign(("tiny", "1.0.0"))
        fleet.wait_for(lambda: "tiny 1.0.0 serves on probation" in said(once_more))


def test_a_cancellation_in_the_middle_of_fetching_and_a_new_assignment(tmp_path: Path) -> None:
    with driven(tmp_path) as fleet:
        go_on, begun = threading.Event(), threading.Event()

        def hold() -> None:
            begun.set()
            go_on.wait(0.05)  # slow, and interruptible between two pieces

        fleet.repository.on_piece = hold
        action = fleet.server.assign(("tiny", "1.0.0"), window="unavailable")
        assert begun.wait(PATIENCE)
        fleet.server.cancel(action)
        fleet.wait_for(lambda: not action.active)
        assert action.status == "CANCELED"
        go_on.set()
        assert fleet.store.record.bad == ()
        again = fleet.server.assign(("tiny", "1.1.0"))
        fleet.wait_for(lambda: "tiny 1.1.0 serves on probation" in said(again))


def test_a_closed_window_waits_with_everything_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeagent.delivery.update.updater.ASK_AGAIN_S", 0.1)
    with driven(tmp_path) as fleet:
        action = fleet.server.assign(("tiny", "1.0.0"), window="unavailable")
        waits = "tiny 1.0.0 is complete and verified: hawkBit's maintenance window is closed"
        fleet.wait_for(lambda: waits in said(action))
        action.window = "available"
        fleet.wait_for(lambda: "tiny 1.0.0 serves on probation" in said(action))
