"""What a device remembers, kept so that a power cut at any moment leaves it right.

Whoever holds the store is the only one who writes: the folder is locked. Every change is on the disk before
the method returns, and before anything is done because of it. What cannot be written did not happen:
:attr:`Store.record` is then as it was.

Which model serves after a start::

    trial, counted durably as begun  ->  its slot
    begun too often without a clean end, damaged, or not to be counted  ->  current good model
    that is damaged  ->  previous good model  ->  bundle of the configuration
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from edgeagent.bundle.reading import Bundle
from edgeagent.delivery.state.known_good_models import KnownGoodModels
from edgeagent.delivery.state.record import ENDS, FOLLOWS, Bad, Deployment, Installed, Record
from edgeagent.delivery.state.record_file import RECORD, DamagedRecordError, read_record, rebuild_record
from edgeagent.delivery.state.slots import ModelSlots
from edgeagent.errors import BundleError, DeliveryError, EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.files.durable import disk_errors, make_folder
from edgeagent.files.folder_lock import FolderLock
from edgeagent.telemetry.contract.deployment import State
from edgeagent.timing.utc import utc_time

logger = logging.getLogger(__name__)

FOLDER = "delivery"
"""Its name in the agent's state folder."""
MOST_BAD = 100
WishSource = Literal["channel", "command", "hawkbit"]


class Store:
    """The record, the slots and the marks of good models of one board.

    Args:
        folder: of delivery; it is made when missing.

    Attributes:
        folder: as given.
        slots: of this board.
        record: what is remembered; replaced whole with every change, so that any thread may read it.
        rebuilt: why the record had to be made again from the slots; None where it was read.
        trial_serves: whether the model in trial, if there is one, is the one that :meth:`to_serve` gave.

    Raises:
        LockedError: another agent uses the folder.
        NewerRecordError: the record is of a newer edgeagent; it is left as it is.
        DeliveryError: the folder cannot be made or read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.slots = ModelSlots(folder)
        self._marks = KnownGoodModels(folder)
        self._changing = threading.RLock()
        self._counted: Installed | None = None
        self.rebuilt: str | None = None
        self.trial_serves = True
        with disk_errors(folder):
            make_folder(folder)
        self._lock = FolderLock(folder)
        try:
            self.record = self._load()
        except BaseException:
            self._lock.release()
            raise

    def pending(self) -> Deployment | None:
        """Return the deployment that has not ended; None without one."""
        deployment = self.record.deployment
        return None if deployment is None or deployment.state in ENDS else deployment

    def begin(self, model: Installed, source: WishSource, action: str | None = None) -> None:
        """Begin to move to a model.

        Raises:
            DeliveryError: another deployment has not ended, or the model serves already.
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
        """Take the deployment to its next state.

        Args:
            state: one of those that may follow.
            reason: of an end that is not good.
            bad: the model is not tried again here.

        Raises:
            DeliveryError: the state may not follow, or nothing is on its way.
            EdgeagentError: it cannot be written.
        """
        deployment, record = self._on_its_way(), self.record
        if state not in FOLLOWS[deployment.state]:
            raise DeliveryError(f"{deployment.model.slot} cannot go from {deployment.state} to {state}")
        model, since = deployment.model, utc_time(time.time())
        changes: dict[str, Any] = {"state": state, "reason": reason, "since": since}
        if state == "trial":
            changes |= {"starts": 0, "strikes": 0}
            self.trial_serves = True
        fields: dict[str, Any] = {"deployment": deployment.model_copy(update=changes)}
        if state == "good":
            with disk_errors(self.folder):
                self._marks.add(model)
            fields |= {"current": model, "previous": record.current}
        if bad:
            fields |= self._condemn(model, reason or state, since)
        self.change(**fields)

    def go_back(self, reason: str) -> None:
        """Let the previous good model, or else the bundle of the configuration, be current again.

        The model that was current is bad here from now on.

        Raises:
            DeliveryError: a deployment has not ended, or no delivered model serves.
            BundleError: the previous model is damaged.
            EdgeagentError: it cannot be written.
        """
        model, previous = self.record.current, self.record.previous
        if self.pending() is not None:
            raise DeliveryError("a deployment is on its way; cancel it, or roll it back, first")
        if model is None:
            raise DeliveryError("the bundle of the configuration serves; there is nothing to go back to")
        if previous is not None:
            self.slots.open(previous)
        since = utc_time(time.time())
        ended = Deployment(model=model, state="rolled_back", reason=reason, since=since, source="command")
        fields = {"current": previous, "previous": None, "deployment": ended}
        self.change(**{**self._condemn(model, reason, since), **fields})

    def note(self, **fields: Any) -> None:
        """Change fields of the deployment other than its state.

        Raises:
            DeliveryError: nothing is on its way.
            EdgeagentError: it cannot be written.
        """
        self.change(deployment=self._on_its_way().model_copy(update=fields))

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
        """Return the bundle to start with, verified; None is that of the configuration.

        Call it once a start. A model in trial or in its gate is counted as begun until :meth:`close`.

        Args:
            strikes: starts without a clean end, and failures, that are too many.
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
                self._lose(deployment.model, error)
        return self.good()

    def good(self) -> Bundle | None:
        """Return the current good model, verified; None is the bundle of the configuration.

        One that does not verify is put aside, and the one before it is current again.
        """
        while (model := self.record.current) is not None:
            try:
                return self.slots.open(model)
            except BundleError as error:
                self._lose(model, error)
        return None

    def keep(self) -> set[str]:
        """Return the slots that must not be deleted."""
        record = self.record
        deployment = record.deployment.model if record.deployment else None
        return {model.slot for model in (record.current, record.previous, deployment) if model}

    def close(self) -> None:
        """End cleanly: the start is not held against the model in trial. Others may use the folder then."""
        with self._changing:
            deployment = self.pending()
            if deployment is not None and deployment.model == self._counted and deployment.starts:
                with _tried("the clean end of a trial"):
                    self.note(starts=deployment.starts - 1)
            self._lock.release()

    def _on_its_way(self) -> Deployment:
        deployment = self.pending()
        if deployment is None:
            raise DeliveryError("no model is on its way")
        return deployment

    def _condemn(self, model: Installed, reason: str, since: str) -> dict[str, Any]:
        """Remove the mark of a model, and return the fields that remember it as bad."""
        with disk_errors(self.folder):
            self._marks.remove(model.slot)
        record = self.record
        others = [bad for bad in record.bad if bad.slot != model.slot]
        bad = Bad(slot=model.slot, reason=reason, since=since)
        fields: dict[str, Any] = {"bad": (*others, bad)[-MOST_BAD:]}
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
                self.note(starts=starts)
                self._counted = deployment.model
                return
            ended = f"{starts} runs of the agent ended badly during its {'trial' if trial else 'gate'}"
            logger.error("%s: %s; it is not tried again", deployment.model.slot, ended)
            self.move("rolled_back" if trial else "rejected", ended, bad=True)
        except EdgeagentError as error:
            self.trial_serves = False
            logger.error("%s; the last good model serves, as no trial can be counted", error)

    def _lose(self, model: Installed, error: BundleError) -> None:
        """Put a damaged slot aside, and remember what is good without it, if only until this run ends."""
        logger.error("%s; it is put aside, and the good model before it serves", error)
        with _tried("the loss of a slot"), disk_errors(self.folder):
            self.slots.put_aside(model)
            self._marks.remove(model.slot)
        record, fields = self.record, dict[str, Any]()
        if record.current == model:
            fields |= {"current": record.previous, "previous": None}
        if record.previous == model:
            fields |= {"previous": None}
        deployment = self.pending()
        if deployment is not None and deployment.model == model:
            end = "rolled_back" if deployment.state == "trial" else "rejected"
            changes = {
                "state": end,
                "reason": f"its slot was damaged: {error}",
                "since": utc_time(time.time()),
            }
            fields |= {"deployment": deployment.model_copy(update=changes)}
        self._remember(fields)

    def _remember(self, fields: dict[str, Any]) -> None:
        """Change the record; where that cannot be written, at least until the end of this run."""
        with _tried("a change of the record"):
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
        record = rebuild_record(self.slots, self._marks)
        current = f"{record.current.name} {record.current.version}" if record.current else "none"
        logger.error("%s; made again from the slots, good model: %s", self.rebuilt, current)
        self._remember(dict(record))
        return self.record


@contextmanager
def _tried(what: str) -> Iterator[None]:
    """Let detection go on where something cannot be written, and say so."""
    try:
        yield
    except EdgeagentError as error:
        logger.error("%s is not kept: %s", what, error)
