"""Decisions on deployments: on a target release, on a command, on a verdict of probation.

Each decision is written durably before it takes effect; :mod:`edgeagent.delivery.update.updater` decides when
it is made.
"""

from __future__ import annotations

import logging
from typing import Generic

from edgeagent.delivery.repository.channel import Release
from edgeagent.delivery.state.record import Deployment, Installed
from edgeagent.delivery.update.deployment_steps import installed
from edgeagent.delivery.update.protocols import DeploymentContext, Passed, TargetRelease
from edgeagent.delivery.update.wishes import CANCEL, FORGIVE, PIN, ROLLBACK, Before, Named, Pending
from edgeagent.errors import BundleError, DeliveryError, EdgeagentError
from edgeagent.settings.sections.delivery import DeliverySettings

logger = logging.getLogger(__name__)


class DeploymentDecisions(Generic[Passed]):
    """Begins and ends deployments.

    Args:
        context: store, source and runner.
        settings: strikes, and the limits of pruning.

    Attributes:
        release: of the deployment, as the channel has it now; None without one, or where it is not known.
        unwritten: model and verdict of a trial that could not be written; None without one.
    """

    def __init__(self, context: DeploymentContext[Passed], settings: DeliverySettings) -> None:
        self._store, self._source, self._runner = context.store, context.source, context.runner
        self._settings = settings
        self.release: Release | None = None
        self.unwritten: tuple[Installed, str | None] | None = None

    def find_release(self) -> None:
        """Find the release of the deployment in the last verified index."""
        deployment = self._store.pending()
        self.release = None
        if deployment is not None:
            release = self._source.find(deployment.model.name, deployment.model.version)
            if release is not None and release.slot == deployment.model.slot:
                self.release = release

    def follow(self, target: TargetRelease | None) -> bool:
        """Begin a deployment of the target release, if it needs one; return whether one has begun.

        Without a target the deployment in progress goes on, unless the channel has dropped its release.
        """
        pending = self._store.pending()
        if target is not None and self._is_new(target):
            if pending is None or pending.model.slot != target.release.slot:
                self._begin(target)
                return True
            self.release = target.release
        elif pending is not None:
            self.find_release()
            if self.release is None:
                self.drop("the channel does not offer it any more")
            elif self.release.withdrawn is not None:
                self.drop(f"withdrawn: {self.release.withdrawn}")
        return False

    def drop(self, reason: str, *, bad: bool = False) -> None:
        """End the deployment in progress, if there is one.

        Args:
            reason: for the record.
            bad: whether to record the model as bad here.
        """
        deployment = self._store.pending()
        if deployment is None:
            return
        logger.info("%s: %s", deployment.model.slot, reason)
        if deployment.state == "trial":
            self._store.move("rolled_back", reason, bad=bad)
            self._runner.serve(None)
        else:
            self._store.move("rejected", reason, bad=bad)

    def end_trial(self, reason: str | None) -> str:
        """Write the verdict of probation, and go back to the good model if it is bad.

        If a bad verdict cannot be written the good model serves nevertheless, and :attr:`unwritten` is set.

        Args:
            reason: why the model is bad; None for a good one.
        """
        model = self._in_trial().model
        try:
            self._write_verdict(model, reason)
        except EdgeagentError as error:
            logger.error("%s; it is written later", error)
            self.unwritten = (model, reason)
        if reason is None:
            logger.info("%s is good", model.slot)
            self.prune()
            return "good"
        logger.warning("%s: %s; the last good model serves again", model.slot, reason)
        self._runner.serve(None)
        return "rolled back"

    def write_verdict_again(self) -> None:
        """Write a verdict that could not be written before.

        Raises:
            EdgeagentError: it still cannot be written.
        """
        if self.unwritten is not None:
            self._write_verdict(*self.unwritten)
            self.unwritten = None

    def strike(self, reason: str) -> str:
        """Count a failure of the model on trial; too many end the trial."""
        deployment = self._in_trial()
        strikes = deployment.strikes + 1
        if strikes + deployment.starts >= self._settings.probation.strikes:
            return self.end_trial(reason)
        self._store.update_deployment(strikes=strikes)
        return f"strike {strikes}: {reason}"

    def leave_damaged(self, reason: str) -> str:
        """Put the serving model aside if it does not verify any more, and let the good one before it serve.

        Args:
            reason: what was found, for the log.

        Raises:
            DeliveryError: it verifies, or the configured bundle serves.
            EdgeagentError: neither a good model nor the configured bundle can be started.
        """
        if not self._store.drop_damaged():
            raise DeliveryError(f"nothing delivered is damaged, it was reported: {reason}")
        self._runner.serve(None)
        return "put aside"

    def note_withdrawn(self) -> None:
        """Record which of the good models the channel has withdrawn, for when it cannot be read."""
        record, withdrawn = self._store.record, self._source.withdrawn
        if withdrawn is None:
            return
        good = [model.slot for model in (record.current, record.previous) if model is not None]
        found = tuple(sorted(slot for slot in good if slot in withdrawn))
        if found != record.withdrawn:
            self._store.change(withdrawn=found)

    def leave_withdrawn(self, reason: str) -> None:
        """Leave a current model that is withdrawn, for the good one before it or the configured bundle.

        Does nothing while a deployment is in progress.
        """
        record = self._store.record
        if self._store.pending() is None and record.current is not None:
            logger.warning("%s", reason)
            try:
                self._store.go_back(reason, bad=False, source="channel")
            except BundleError as error:
                logger.error("%s; it is passed over", error)
                self._store.change(previous=None)
                self._store.go_back(reason, bad=False, source="channel")
            self._runner.serve(None)

    def pin(self, name: str, version: str) -> str:
        """Pin a signed release, and remove it from the bad models."""
        release, wanted = self._source.find(name, version), f"{name} {version}"
        outcome = PIN[self._pending(), self._named(release)]
        if release is None or outcome.refusal == "not_offered":
            raise DeliveryError(f"the channel offers no {wanted}; check now if it is new")
        if outcome.refusal == "withdrawn":
            raise DeliveryError(f"{wanted} is withdrawn: {release.withdrawn}")
        if outcome.refusal == "other_board":
            raise DeliveryError(f"{wanted} cannot be pinned: {self._source.board_hindrance(release)}")
        bad = tuple(bad for bad in self._store.record.bad if bad.slot != release.slot)
        self._store.change(pinned=wanted, bad=bad)
        if "end_update" in outcome.actions:
            self.drop(f"gave way to {wanted}, which was pinned")
        return f"pinned to {wanted}"

    def unpin(self) -> str:
        """Remove the pin."""
        self._store.change(pinned=None)
        return "following the channel"

    def forgive(self, name: str, version: str) -> str:
        """Remove a model from the bad models of this device."""
        record = self._store.record
        kept = tuple(bad for bad in record.bad if bad.model != f"{name} {version}")
        if FORGIVE[kept != record.bad].refusal is not None:
            raise DeliveryError(f"{name} {version} is not bad on this device")
        self._store.change(bad=kept)
        return f"{name} {version} may be tried again"

    def rollback(self) -> str:
        """End the trial, or go back to the previous good model; record the model that served as bad.

        An update that does not serve yet gives way; the next update check begins it again.
        """
        outcome, reason = ROLLBACK[self._pending(), self._before()], "rolled back by a command"
        if outcome.refusal is not None:
            raise DeliveryError("the bundle of the configuration serves; there is nothing to go back to")
        for action in outcome.actions:
            if action == "end_update":
                self.drop("gave way to a rollback by a command")
            elif action == "end_trial":
                self._store.move("rolled_back", reason, bad=True)
            elif action == "leave_withdrawn":
                self._store.leave_withdrawn()
            else:
                self._store.go_back(reason)
        self._runner.serve(None)
        current = self._store.record.current
        return f"back to {current.name} {current.version}" if current else "back to the configured bundle"

    def cancel(self, reason: str) -> str:
        """Give up the deployment before its trial, and record the model as bad until it is pinned."""
        outcome, deployment = CANCEL[self._pending()], self._store.pending()
        if deployment is None or outcome.refusal == "no_deployment":
            raise DeliveryError("no deployment is in progress")
        if outcome.refusal == "on_trial":
            model = deployment.model
            raise DeliveryError(f"{model.name} {model.version} is on trial; roll it back instead")
        self.drop(reason, bad=True)
        return "cancelled"

    def prune(self, most_bytes: int | None = None) -> None:
        """Delete slots that are not needed.

        Args:
            most_bytes: size of the slots that are kept beyond the needed ones; None is ``delivery.keep``.
        """
        most = self._settings.keep if most_bytes is None else most_bytes
        try:
            gone = self._store.slots.prune(self._store.keep(), most, self._settings.keep_time)
        except DeliveryError as error:
            logger.warning("%s", error)
            return
        if gone:
            logger.info("deleted the slots %s", ", ".join(gone))

    def _pending(self) -> Pending:
        deployment = self._store.pending()
        if deployment is None:
            return "none"
        return "trial" if deployment.state == "trial" else "update"

    def _before(self) -> Before:
        """Return what a rollback leads to; of a trial it is the model before the one on trial."""
        record, trial = self._store.record, self._pending() == "trial"
        if record.current is None:
            return "configured" if trial else "nothing"
        model = record.current if trial else record.previous
        if model is None:
            return "configured"
        return "withdrawn" if model.slot in record.withdrawn else "good"

    def _named(self, release: Release | None) -> Named:
        """Return how the channel has a release that a command names."""
        if release is None:
            return "unknown"
        if release.withdrawn is not None:
            return "withdrawn"
        if self._source.board_hindrance(release) is not None:
            return "other_board"
        pending = self._store.pending()
        return "in_progress" if pending is not None and pending.model.slot == release.slot else "offered"

    def _begin(self, target: TargetRelease) -> None:
        release, record = target.release, self._store.record
        name = f"{release.name} {release.version}"
        self.drop(f"gave way to {name}")
        source = "command" if record.pinned == name else target.source
        self._store.begin(installed(release), source, target.action)
        self.release = release
        logger.info("moving to %s", name)
        bad = next((bad for bad in record.bad if bad.slot == release.slot), None)
        if bad is not None:
            self._store.move("rejected", f"bad on this device: {bad.reason}")
        self.prune()

    def _is_new(self, target: TargetRelease) -> bool:
        """Return whether a target has not been deployed yet; hawkBit may ask twice."""
        record = self._store.record
        if record.current is not None and record.current.slot == target.release.slot:
            return False
        last, pending = record.deployment, self._store.pending()
        return pending is not None or last is None or last.action is None or last.action != target.action

    def _in_trial(self) -> Deployment:
        deployment = self._store.pending()
        if deployment is None or deployment.state != "trial" or self.unwritten is not None:
            raise DeliveryError("no model is on trial")
        return deployment

    def _write_verdict(self, model: Installed, reason: str | None) -> None:
        deployment = self._store.pending()
        if deployment is not None and deployment.model == model and deployment.state == "trial":
            bad = reason is not None
            self._store.move("rolled_back" if bad else "good", reason, bad=bad)
