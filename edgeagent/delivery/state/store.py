"""State of delivery on the disk, consistent after a power cut at any moment.

The store locks its folder, so that there is one writer. Every change is on the disk before the method
returns, and before it takes effect. A change that cannot be written does not happen: :attr:`Store.record`
stays as it was.

The model that serves after a start::

    trial, its start counted durably                                ->  its slot
    too many starts without a clean end, damaged, or not countable  ->  current good model
    that one damaged  ->  previous good model                       ->  configured bundle
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgeagent.bundle.reading import Bundle
from edgeagent.delivery.state.known_good_models import KnownGoodModels
from edgeagent.delivery.state.record import (
    FINAL_STATES,
    TRANSITIONS,
    BadModel,
    Deployment,
    DeploymentSource,
    Installed,
    Record,
)
from edgeagent.delivery.state.record_file import RECORD, DamagedRecordError, read_record, rebuild_record
from edgeagent.delivery.state.slots import ModelSlots
from edgeagent.errors import BundleError, DeliveryError, EdgeagentError
from edgeagent.files.atomic import PRIVATE_FOLDER, write_state
from edgeagent.files.durable import disk_errors, make_folder
from edgeagent.files.folder_lock import FolderLock
from edgeagent.telemetry.contract.deployment import State
from edgeagent.timing.utc import utc_time

logger = logging.getLogger(__name__)

FOLDER = "delivery"
"""Name of the delivery folder in the agent's state folder."""
MAX_BAD = 100


class Store:
    """Record, slots and known good models of one board.

    Args:
        folder: of delivery; made when missing.

    Attributes:
        folder: as given.
        slots: of this board.
        record: deployment record; replaced whole by every change, so that any thread may read it.
        rebuilt: why the record was rebuilt from the slots; None where it was read.
        trial_serves: whether a model on trial is the one that :meth:`to_serve` returned.

    Raises:
        LockedError: another agent uses the folder.
        NewerRecordError: the record was written by a newer edgeagent; it is left as it is.
        DeliveryError: the folder cannot be made or read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.slots = ModelSlots(folder)
        self._known_good = KnownGoodModels(folder)
        self._changing = threading.RLock()
        self._counted: Installed | None = None
        self.rebuilt: str | None = None
        self.trial_serves = True
        with disk_errors(folder):
            make_folder(folder)
        _make_private(folder)
        self._lock = FolderLock(folder)
        try:
            self.record = self._load()
        except BaseException:
            self._lock.release()
            raise

    def pending(self) -> Deployment | None:
        """Return the deployment in progress; None without one."""
        deployment = self.record.deployment
        return None if deployment is None or deployment.state in FINAL_STATES else deployment

    def begin(self, model: Installed, source: DeploymentSource, action: str | None = None) -> None:
        """Begin a deployment.

        Args:
            model: to deploy.
            source: its origin.
            action: id of hawkBit's action.

        Raises:
            DeliveryError: another deployment is in progress, or the model is current already.
            EdgeagentError: it cannot be written.
        """
        pending = self.pending()
        if pending is not None:
            raise DeliveryError(f"{pending.model.slot} is still {pending.state}; it has to end first")
        if self.record.current is not None and self.record.current.slot == model.slot:
            raise DeliveryError(f"{model.name} {model.version} serves already")
        since = utc_time(time.time())
        deployment = Deployment(model=model, state="fetching", since=since, source=source, action=action)
        self.change(deployment=deployment)

    def move(self, state: State, reason: str | None = None, *, bad: bool = False) -> None:
        """Move the deployment to its next state.

        Args:
            state: to move to; see :data:`edgeagent.delivery.state.record.TRANSITIONS`.
            reason: of ``rejected`` or ``rolled_back``.
            bad: whether to record the model as bad here.

        Raises:
            DeliveryError: the transition is not allowed, or no deployment is in progress.
            EdgeagentError: it cannot be written.
        """
        deployment, record = self._in_progress(), self.record
        if state not in TRANSITIONS[deployment.state]:
            raise DeliveryError(f"{deployment.model.slot} cannot go from {deployment.state} to {state}")
        model, since = deployment.model, utc_time(time.time())
        changes: dict[str, Any] = {"state": state, "reason": reason, "since": since}
        if state == "trial":
            changes |= {"starts": 0, "strikes": 0}
            self.trial_serves = True
        fields: dict[str, Any] = {"deployment": deployment.model_copy(update=changes)}
        if state == "good":
            with disk_errors(self.folder):
                self._known_good.add(model)
            fields |= {"current": model, "previous": record.current}
        if bad:
            fields |= self._mark_bad(model, reason or state, since)
        self.change(**fields)

    def go_back(self, reason: str, *, bad: bool = True, source: DeploymentSource = "command") -> None:
        """Make the previous good model, or else the configured bundle, current again.

        A previous model that is withdrawn is passed over.

        Args:
            reason: for the record.
            bad: whether to record the current model as bad.
            source: who asked.

        Raises:
            DeliveryError: a deployment is in progress, or no delivered model serves.
            BundleError: the previous model is damaged.
            EdgeagentError: it cannot be written.
        """
        model, previous = self.record.current, self.before()
        if self.pending() is not None:
            raise DeliveryError("a deployment is in progress; cancel it, or roll it back, first")
        if model is None:
            raise DeliveryError("the bundle of the configuration serves; there is nothing to go back to")
        if previous is not None:
            self.slots.open(previous)
        since = utc_time(time.time())
        ended = Deployment(model=model, state="rolled_back", reason=reason, since=since, source=source)
        fields = {"current": previous, "previous": None, "deployment": ended}
        if bad:
            fields = {**self._mark_bad(model, reason, since), **fields}
        self.change(**fields)

    def before(self) -> Installed | None:
        """Return the previous good model, unless it is withdrawn."""
        previous = self.record.previous
        return None if previous is None or previous.slot in self.record.withdrawn else previous

    def leave_withdrawn(self) -> None:
        """Make the model before a withdrawn current one current; without a deployment, and nothing is bad.

        Raises:
            EdgeagentError: it cannot be written.
        """
        current = self.record.current
        if current is not None and current.slot in self.record.withdrawn:
            self.change(current=self.before(), previous=None)

    def update_deployment(self, **fields: Any) -> None:
        """Change fields of the deployment other than its state.

        Raises:
            DeliveryError: no deployment is in progress.
            EdgeagentError: it cannot be written.
        """
        self.change(deployment=self._in_progress().model_copy(update=fields))

    def change(self, **fields: Any) -> None:
        """Change fields of the record.

        Raises:
            EdgeagentError: it cannot be written; the record is as it was.
        """
        with self._changing:
            record = self.record.model_copy(update=fields)
            write_state(self.folder / RECORD, record.model_dump_json(indent=2).encode())
            self.record = record

    def to_serve(self, strikes: int) -> Bundle | None:
        """Return the bundle to start with, verified; None is the configured one.

        Called once at every start. It counts the start of a model in gate or trial until :meth:`close`.

        Args:
            strikes: number of starts without a clean end, and of failures, that ends the deployment.
        """
        self._count_start(strikes)
        deployment = self.pending()
        if deployment is None or deployment.state != "trial":
            return self.good()
        if self.trial_serves:
            try:
                return self.slots.open(deployment.model)
            except BundleError as error:
                self.trial_serves = False
                self._drop_damaged(deployment.model, error)
        return self.good()

    def good(self) -> Bundle | None:
        """Return the current good model, verified; None is the configured bundle.

        A model that does not verify is quarantined, and the previous one becomes current.
        """
        while (model := self.record.current) is not None:
            try:
                return self.slots.open(model)
            except BundleError as error:
                self._drop_damaged(model, error)
        return None

    def drop_damaged(self) -> bool:
        """Quarantine the model that serves if it does not verify; return whether it was.

        The record then says so: a trial has ended, and the good model before is current.
        """
        deployment, model = self.pending(), self.record.current
        if deployment is not None and deployment.state == "trial" and self.trial_serves:
            model = deployment.model
        if model is None:
            return False
        try:
            self.slots.open(model)
        except BundleError as error:
            self._drop_damaged(model, error)
            return True
        return False

    def keep(self) -> set[str]:
        """Return the names of the slots that must not be deleted."""
        record = self.record
        deployment = record.deployment.model if record.deployment else None
        return {model.slot for model in (record.current, record.previous, deployment) if model}

    def close(self) -> None:
        """Take back the count of this start, and release the folder."""
        with self._changing:
            deployment = self.pending()
            if deployment is not None and deployment.model == self._counted and deployment.starts:
                with _logged("the clean end of a trial"):
                    self.update_deployment(starts=deployment.starts - 1)
            self._lock.release()

    def _in_progress(self) -> Deployment:
        deployment = self.pending()
        if deployment is None:
            raise DeliveryError("no deployment is in progress")
        return deployment

    def _mark_bad(self, model: Installed, reason: str, since: str) -> dict[str, Any]:
        """Remove a model from the known good ones, and return the fields that record it as bad."""
        with disk_errors(self.folder):
            self._known_good.remove(model.slot)
        record = self.record
        others = [bad for bad in record.bad if bad.slot != model.slot]
        bad = BadModel(slot=model.slot, reason=reason, since=since)
        fields: dict[str, Any] = {"bad": (*others, bad)[-MAX_BAD:]}
        if record.previous is not None and record.previous.slot == model.slot:
            fields["previous"] = None
        if record.pinned == f"{model.name} {model.version}":
            fields["pinned"] = None
        return fields

    def _count_start(self, strikes: int) -> None:
        deployment = self.pending()
        if deployment is None or deployment.state not in ("gating", "trial"):
            return
        starts, trial = deployment.starts + 1, deployment.state == "trial"
        try:
            if starts + deployment.strikes < strikes:
                self.update_deployment(starts=starts)
                self._counted = deployment.model
                return
            ended = f"{starts} runs of the agent ended badly during its {'trial' if trial else 'gate'}"
            logger.warning("%s: %s; it is not tried again", deployment.model.slot, ended)
            self.move("rolled_back" if trial else "rejected", ended, bad=True)
        except EdgeagentError as error:
            self.trial_serves = False
            logger.error("%s; the last good model serves, as no trial can be counted", error)

    def _drop_damaged(self, model: Installed, error: BundleError) -> None:
        """Quarantine a damaged slot, and change the record accordingly, at least until this run ends."""
        logger.error("%s; it is quarantined, and the good model before it serves", error)
        with _logged("the loss of a slot"), disk_errors(self.folder):
            self.slots.quarantine(model)
            self._known_good.remove(model.slot)
        record, fields = self.record, dict[str, Any]()
        if record.current == model:
            fields |= {"current": record.previous, "previous": None}
        if record.previous == model:
            fields |= {"previous": None}
        deployment, since, reason = self.pending(), utc_time(time.time()), f"its slot was damaged: {error}"
        if deployment is None and record.current == model:
            deployment = Deployment(model=model, state="trial", since=since)
        if deployment is not None and deployment.model == model:
            end = "rolled_back" if deployment.state == "trial" else "rejected"
            changes = {"state": end, "reason": reason, "since": since}
            fields |= {"deployment": deployment.model_copy(update=changes)}
        self._change_or_keep(fields)

    def _change_or_keep(self, fields: dict[str, Any]) -> None:
        """Change the record; where it cannot be written, until the end of this run."""
        with _logged("a change of the record"):
            self.change(**fields)
            return
        self.record = self.record.model_copy(update=fields)

    def _load(self) -> Record:
        try:
            found = read_record(self.folder)
        except DamagedRecordError as error:
            self.rebuilt = str(error)
        else:
            if found is not None:
                return found
            if not self.slots.installed():
                return Record()
            self.rebuilt = f"{self.folder / RECORD}: is missing, though there are models"
        self.record = Record()
        record = rebuild_record(self.slots, self._known_good)
        current = f"{record.current.name} {record.current.version}" if record.current else "none"
        logger.error("%s; rebuilt from the slots, good model: %s", self.rebuilt, current)
        self._change_or_keep(dict(record))
        return self.record


def _make_private(folder: Path) -> None:
    """Keep other users of the board out of a folder that an older version made."""
    try:
        if folder.stat().st_mode & 0o077:
            folder.chmod(PRIVATE_FOLDER)
    except OSError as error:  # a read-only disk, or another owner: detection goes on
        logger.warning("%s: stays readable to other users (%s)", folder, error.strerror)


@contextmanager
def _logged(what: str) -> Iterator[None]:
    """Log an error of a write, so that detection goes on."""
    try:
        yield
    except EdgeagentError as error:
        logger.error("%s is not kept: %s", what, error)
