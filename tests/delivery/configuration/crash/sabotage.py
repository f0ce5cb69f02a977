"""The program with one of its steps left out or done too early, to see that the harness notices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgeagent.delivery.configuration import store
from edgeagent.delivery.configuration.serving import ServedConfiguration
from edgeagent.delivery.configuration.store import ConfigurationStore
from edgeagent.delivery.repository import download
from edgeagent.files.atomic import sync


def record_not_synced() -> None:
    """The record is renamed before its content is on the disk."""

    def write(path: Path, content: bytes, *, shared: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        new.write_bytes(content)
        new.replace(path)
        sync(path.parent)

    store.write_state = write  # type: ignore[attr-defined]


def folder_of_record_not_synced() -> None:
    """The record is renamed, and its folder is not brought to the disk: the rename may not have happened.

    ``check.json`` lies in the same folder, and its fsync makes up for it; but not before a configuration
    serves on trial: the start may serve and not be counted.
    """

    def write(path: Path, content: bytes, *, shared: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        new.write_bytes(content)
        sync(new)
        new.replace(path)

    store.write_state = write  # type: ignore[attr-defined]


def file_not_synced() -> None:
    """A configuration is used before its file is on the disk."""
    download.os.fsync = lambda descriptor: None  # type: ignore[attr-defined]
    download.sync = lambda path: None  # type: ignore[attr-defined]


def good_before_probation() -> None:
    """A configuration is remembered as good when its trial begins."""
    begin = ConfigurationStore.begin_trial

    def begin_and_mark(self: ConfigurationStore, before: Any, cameras: Any) -> None:
        begin(self, before, cameras)
        deployment = self.record.deployment
        if deployment is not None:
            self._write_good(deployment.configuration, self.record.current)

    ConfigurationStore.begin_trial = begin_and_mark  # type: ignore[method-assign]


def served_before_written() -> None:
    """A staged configuration serves although the record does not say that it is on trial."""
    choose = ServedConfiguration._choose

    def choose_staged(self: ServedConfiguration, store: ConfigurationStore) -> None:
        choose(self, store)
        pending = store.record.pending
        if pending is not None and pending.state == "staged":
            self.serve(pending.configuration, self.apply(pending.configuration))

    def begin_trial(self: ConfigurationStore, before: Any, cameras: Any) -> None:
        if self.record.deployment is not None and self.record.deployment.before is not None:
            self.move("trial")
        else:
            self.update_deployment(before=before, known_cameras=cameras)

    ConfigurationStore.begin_trial = begin_trial  # type: ignore[method-assign]
    ServedConfiguration._choose = choose_staged  # type: ignore[method-assign]


SABOTAGES = (
    record_not_synced,
    folder_of_record_not_synced,
    file_not_synced,
    good_before_probation,
    served_before_written,
)
