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
from edgeagent.errors import DeliveryError, EdgeagentError
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
        logger.error("%s: %s; the last good model serves again", model.slot, reason)
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

    def pin(self, name: str, version: str) -> str:
        """Pin a signed release, and remove it from the bad models."""
        release, wanted = self._source.find(name, version), f"{name} {version}"
        if release is None:
            raise DeliveryError(f"the channel offers no {wanted}; check now if it is new")
        if release.withdrawn is not None:
            raise DeliveryError(f"{wanted} is withdrawn: {release.withdrawn}")
        bad = tuple(bad for bad in self._store.record.bad if bad.slot != release.slot)
        self._store.change(pinned=wanted, bad=bad)
        pending = self._store.pending()
        if pending is not None and pending.model.slot != release.slot:
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
        if kept == record.bad:
            raise DeliveryError(f"{name} {version} is not bad on this device")
        self._store.change(bad=kept)
        return f"{name} {version} may be tried again"

    def rollback(self) -> str:
        """End the trial, or go back to the previous good model; record the model that served as bad."""
        deployment, reason = self._store.pending(), "rolled back by a command"
        if deployment is not None and deployment.state == "trial":
            self.drop(reason, bad=True)
        else:
            self._store.go_back(reason)
            self._runner.serve(None)
        current = self._store.record.current
        return f"back to {current.name} {current.version}" if current else "back to the configured bundle"

    def cancel(self, reason: str) -> str:
        """Give up the deployment before its trial, and record the model as bad until it is pinned."""
        deployment = self._store.pending()
        if deployment is None:
            raise DeliveryError("no deployment is in progress")
        if deployment.state == "trial":
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
