"""Configurations on the disk, and their record, changed in an order that survives a power cut.

::

    record.json          current, previous and bad configurations, and the deployment
    good.json            the good ones once more; a lost record is rebuilt from it
    files/<slot>.json    a verified file of a configuration, never changed; its name has its hash
    check.json           why a configuration waits, for `edgeagent status`
    metadata/            signed metadata of the repository, apart from those of the models' updater

A file is whole before the record names it. ``good.json`` is written before the record calls a configuration
good, and before the record leaves one that was good.
"""

from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path
from typing import Any

from edgeagent.delivery.configuration.record import (
    TRANSITIONS,
    BadConfiguration,
    ConfigurationDeployment,
    ConfigurationRecord,
    StoredConfiguration,
    WorkingParts,
)
from edgeagent.delivery.state.record import StateDocument
from edgeagent.errors import DeliveryError, EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.files.durable import disk_errors, make_folder, remove_file
from edgeagent.files.folder_lock import FolderLock
from edgeagent.files.state_json import DamagedJsonError, read_json
from edgeagent.settings.partial import MOST_BYTES
from edgeagent.telemetry.contract.deployment import ConfigurationState
from edgeagent.timing.utc import utc_time

logger = logging.getLogger(__name__)

CONFIGURATION = "configuration"
"""Name of the folder in that of delivery."""
RECORD, GOOD, FILES = "record.json", "good.json", "files"
MOST_BAD = 20


class GoodConfigurations(StateDocument):
    """Content of ``good.json``."""

    current: StoredConfiguration | None = None
    previous: StoredConfiguration | None = None


def read_configuration_record(folder: Path) -> ConfigurationRecord | None:
    """Return the record of a folder, without a lock; None where there is none.

    Raises:
        DeliveryError: it cannot be read, or is damaged.
    """
    try:
        return read_json(folder / RECORD, ConfigurationRecord)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DeliveryError(f"{folder / RECORD}: cannot be read ({error.strerror})") from error
    except DamagedJsonError as error:
        raise DeliveryError(f"{folder / RECORD}: is damaged ({error})") from None


class ConfigurationStore:
    """Configurations of this device. One thread changes them at a time; any may read ``record``.

    Args:
        folder: of the configurations.

    Attributes:
        record: as it is on the disk.

    Raises:
        LockedError: another agent uses the folder.
        DeliveryError: the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with disk_errors(folder):
            make_folder(folder)
        self._lock = FolderLock(folder)
        try:
            self.record = read_configuration_record(folder) or self._rebuilt()
        except DeliveryError as error:
            self.record = self._rebuilt()
            logger.error("%s; the last good configuration is taken from %s", error, GOOD)

    def close(self, clean: bool = True) -> None:
        """End the use of the folder; a clean end does not count against a configuration on trial."""
        trial = self.record.trial
        if clean and trial is not None and trial.starts:
            try:
                self.update_deployment(starts=trial.starts - 1)
            except EdgeagentError as error:
                logger.warning("%s; this stop counts against the configuration on trial", error)
        self._lock.release()

    def path(self, configuration: StoredConfiguration) -> Path:
        """Return where the file of a configuration is, or is to be."""
        return self.folder / FILES / f"{configuration.slot}.json"

    def read(self, configuration: StoredConfiguration) -> bytes:
        """Return the verified content of a file.

        Raises:
            DeliveryError: it is missing, damaged, or cannot be read.
        """
        path = self.path(configuration)
        try:
            with path.open("rb") as file:
                content = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise DeliveryError(f"{path}: cannot be read ({error.strerror})") from error
        if hashlib.sha256(content).hexdigest() != configuration.sha256:
            raise DeliveryError(f"{path}: is damaged, it is not what was signed")
        return content

    def begin(self, configuration: StoredConfiguration) -> None:
        """Begin a deployment.

        Raises:
            EdgeagentError: the record cannot be written, and is as it was.
        """
        deployment = ConfigurationDeployment(configuration=configuration, state="fetching", since=_now())
        self._write(deployment=deployment)

    def move(self, state: ConfigurationState, reason: str | None = None, **fields: Any) -> None:
        """Move the deployment in progress to a state that is not ``good``.

        Args:
            state: the next one.
            reason: why, for ``rejected`` and ``rolled_back``.
            fields: further fields of the deployment.

        Raises:
            EdgeagentError: the record cannot be written, and is as it was.
        """
        self._write(deployment=self._moved(state, reason, **fields))

    def begin_trial(self, before: WorkingParts, cameras: tuple[str, ...]) -> None:
        """Put the staged configuration on trial; the next start of the agent serves it.

        Args:
            before: what works now.
            cameras: names of the cameras of the settings now.
        """
        self.move("trial", before=before, known_cameras=cameras)

    def count_start(self) -> bool:
        """Count a start with the configuration on trial; False where that cannot be written."""
        trial = self.record.trial
        if trial is None:
            return False
        try:
            self.update_deployment(starts=trial.starts + 1)
        except EdgeagentError as error:
            logger.error(
                "%s; the configuration on trial does not serve, as its start cannot be counted", error
            )
            return False
        return True

    def passed(self) -> None:
        """Make the configuration on trial the good one."""
        moved = self._moved("good", None)
        new = moved.configuration
        self._write_good(new, self.record.current)
        self._write(current=new, previous=self.record.current, deployment=moved)
        self._prune()

    def roll_back(self, reason: str, *, bad: bool = True) -> None:
        """End the trial; the last good configuration serves from the next start on.

        Args:
            reason: why.
            bad: whether it is not tried again here.
        """
        moved = self._moved("rolled_back", reason)
        self._write(
            deployment=moved, bad=self._with_bad(moved.configuration, reason) if bad else self.record.bad
        )

    def drop(self) -> None:
        """End the deployment in progress, before its trial; it may begin again."""
        self._write(deployment=None)

    def cancel(self, reason: str) -> None:
        """Reject the deployment in progress, before its trial, and do not try it again here."""
        moved = self._moved("rejected", reason)
        self._write(deployment=moved, bad=self._with_bad(moved.configuration, reason))

    def go_back(self, reason: str, *, to_previous: bool, bad: bool) -> None:
        """Leave the good configuration for the one before, or for the file of the board alone.

        Args:
            reason: why.
            to_previous: whether the previous one is next.
            bad: whether the left one is not tried again here.
        """
        left = self.record.current
        if left is None:
            return
        current, deployment = self.record.previous if to_previous else None, self.record.deployment
        if deployment is not None and deployment.configuration == left:
            ended = {"state": "rolled_back", "reason": reason, "since": _now(), "reported": False}
            deployment = deployment.model_copy(update=ended)
        self._write_good(current, None)
        self._write(
            current=current,
            previous=None,
            deployment=deployment,
            bad=self._with_bad(left, reason) if bad else self.record.bad,
        )

    def update_deployment(self, **fields: Any) -> None:
        """Change fields of the deployment."""
        if self.record.deployment is not None:
            self._write(deployment=self.record.deployment.model_copy(update=fields))

    def note_withdrawn(self, slots: tuple[str, ...]) -> None:
        """Remember which configurations are withdrawn."""
        if slots != self.record.withdrawn:
            self._write(withdrawn=slots)

    def _moved(self, state: ConfigurationState, reason: str | None, **fields: Any) -> ConfigurationDeployment:
        deployment = self.record.deployment
        if deployment is None or state not in TRANSITIONS[deployment.state]:
            raise ValueError(f"no deployment may move to {state} now: {deployment}")
        changes = {"state": state, "reason": reason, "since": _now(), "reported": False, **fields}
        return deployment.model_copy(update=changes)

    def _with_bad(self, configuration: StoredConfiguration, reason: str) -> tuple[BadConfiguration, ...]:
        entry = BadConfiguration(
            slot=configuration.slot, version=configuration.version, reason=reason, since=_now()
        )
        others = tuple(one for one in self.record.bad if one.slot != entry.slot)
        return (*others, entry)[-MOST_BAD:]

    def _write(self, **fields: Any) -> None:
        record = self.record.model_copy(update=fields)
        write_state(self.folder / RECORD, record.model_dump_json(indent=1, exclude_none=True).encode())
        self.record = record

    def _write_good(self, current: StoredConfiguration | None, previous: StoredConfiguration | None) -> None:
        good = GoodConfigurations(current=current, previous=previous)
        write_state(self.folder / GOOD, good.model_dump_json(exclude_none=True).encode())

    def _rebuilt(self) -> ConfigurationRecord:
        try:
            good = read_json(self.folder / GOOD, GoodConfigurations)
        except (OSError, DamagedJsonError):
            return ConfigurationRecord()
        return ConfigurationRecord(current=good.current, previous=good.previous)

    def _prune(self) -> None:
        """Remove the files that no one needs; an error leaves them."""
        record = self.record
        pending = record.pending.configuration if record.pending else None
        kept = {one.slot for one in (record.current, record.previous, pending) if one is not None}
        for path in (self.folder / FILES).glob("*.json"):
            if path.stem not in kept:
                try:
                    remove_file(path)
                except OSError as error:
                    logger.warning("%s: cannot be removed (%s)", path, error.strerror)


def _now() -> str:
    return utc_time(time.time())
