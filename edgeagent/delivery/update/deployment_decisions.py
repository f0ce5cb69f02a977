"""What becomes of the deployment when a wish, a command, or a verdict of probation comes.

Everything here is one decision, written durably before it has its effect; when it is made is up to
:mod:`edgeagent.delivery.update.updater`.
"""

from __future__ import annotations

import logging
from typing import Generic

from edgeagent.delivery.repository.channel import Release
from edgeagent.delivery.state.record import Deployment, Installed
from edgeagent.delivery.state.store import Store
from edgeagent.delivery.update.deployment_steps import installed
from edgeagent.delivery.update.protocols import ModelRunner, Passed, ReleaseSource, TargetRelease
from edgeagent.errors import DeliveryError, EdgeagentError
from edgeagent.settings.sections.delivery import DeliverySettings

logger = logging.getLogger(__name__)


class DeploymentDecisions(Generic[Passed]):
    """Begins and ends deployments.

    Args:
        store: of this device.
        source: where models come from.
        board: what runs them.
        settings: strikes, and what is kept.

    Attributes:
        release: that is on its way, as the channel has it now; None where nothing is, or it is not known.
        unwritten: verdict on the trial that could not be written; None without one.
    """

    def __init__(
        self, store: Store, source: ReleaseSource, board: ModelRunner[Passed], settings: DeliverySettings
    ) -> None:
        self._store, self._source, self._board, self._settings = store, source, board, settings
        self.release: Release | None = None
        self.unwritten: tuple[Installed, str | None] | None = None

    def find_release(self) -> None:
        """Find what is on its way in the index that is at hand."""
        deployment = self._store.pending()
        self.release = None
        if deployment is not None:
            release = self._source.find(deployment.model.name, deployment.model.version)
            if release is not None and release.slot == deployment.model.slot:
                self.release = release

    def follow(self, wish: TargetRelease | None) -> bool:
        """Move to what is wished; return whether a deployment has begun.

        Nothing wished leaves what is on its way alone, unless it is gone from the channel.
        """
        pending = self._store.pending()
        if wish is not None and self._is_news(wish):
            if pending is None or pending.model.slot != wish.release.slot:
                self._begin(wish)
                return True
            self.release = wish.release
        elif pending is not None:
            self.find_release()
            if self.release is None:
                self.drop("the channel does not offer it any more")
            elif self.release.withdrawn is not None:
                self.drop(f"withdrawn: {self.release.withdrawn}")
        return False

    def drop(self, reason: str, *, bad: bool = False) -> None:
        """End what is on its way, if anything is."""
        deployment = self._store.pending()
        if deployment is None:
            return
        logger.info("%s: %s", deployment.model.slot, reason)
        if deployment.state == "trial":
            self._store.move("rolled_back", reason, bad=bad)
            self._board.serve(None)
        else:
            self._store.move("rejected", reason, bad=bad)

    def end_trial(self, reason: str | None) -> str:
        """Write the verdict of probation, None is good; and go back where it is not.

        Where it cannot be written the good model serves nevertheless, and :attr:`unwritten` is kept.
        """
        model = self._in_trial().model
        try:
            self._write_verdict(model, reason)
        except EdgeagentError as error:
            logger.error("%s; it is tried again", error)
            self.unwritten = (model, reason)
        if reason is None:
            logger.info("%s is good", model.slot)
            self.prune()
            return "good"
        logger.error("%s: %s; the last good model serves again", model.slot, reason)
        self._board.serve(None)
        return "rolled back"

    def write_verdict_again(self) -> None:
        """Write what could not be written.

        Raises:
            EdgeagentError: it still cannot be.
        """
        if self.unwritten is not None:
            self._write_verdict(*self.unwritten)
            self.unwritten = None

    def strike(self, reason: str) -> str:
        """Count a failure of the model in trial; too many end it."""
        deployment = self._in_trial()
        strikes = deployment.strikes + 1
        if strikes + deployment.starts >= self._settings.probation.strikes:
            return self.end_trial(reason)
        self._store.update_deployment(strikes=strikes)
        return f"strike {strikes}: {reason}"

    def pin(self, name: str, version: str) -> str:
        """Stay on, or move to, one of the signed releases; what is bad here is forgiven."""
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
        """Follow the source again."""
        self._store.change(pinned=None)
        return "following the channel"

    def forgive(self, name: str, version: str) -> str:
        """Take a model from those that are bad here."""
        record = self._store.record
        kept = tuple(bad for bad in record.bad if bad.model != f"{name} {version}")
        if kept == record.bad:
            raise DeliveryError(f"{name} {version} is not bad on this device")
        self._store.change(bad=kept)
        return f"{name} {version} may be tried again"

    def rollback(self) -> str:
        """End the trial, or go back to the previous good model; the one that is left is bad here."""
        deployment, reason = self._store.pending(), "rolled back by a command"
        if deployment is not None and deployment.state == "trial":
            self.drop(reason, bad=True)
        else:
            self._store.go_back(reason)
            self._board.serve(None)
        current = self._store.record.current
        return f"back to {current.name} {current.version}" if current else "back to the configured bundle"

    def cancel(self, reason: str) -> str:
        """Give up the deployment before its trial; the model is not tried again here until it is pinned."""
        deployment = self._store.pending()
        if deployment is None:
            raise DeliveryError("no deployment is in progress")
        if deployment.state == "trial":
            model = deployment.model
            raise DeliveryError(f"{model.name} {model.version} is in trial; roll it back instead")
        self.drop(reason, bad=True)
        return "cancelled"

    def prune(self, most_bytes: int | None = None) -> None:
        """Delete slots that are not needed, by default as the settings say."""
        most = self._settings.keep if most_bytes is None else most_bytes
        try:
            gone = self._store.slots.prune(self._store.keep(), most, self._settings.keep_time)
        except DeliveryError as error:
            logger.warning("%s", error)
            return
        if gone:
            logger.info("deleted the slots %s", ", ".join(gone))

    def _begin(self, wish: TargetRelease) -> None:
        release, record = wish.release, self._store.record
        name = f"{release.name} {release.version}"
        self.drop(f"gave way to {name}")
        source = "command" if record.pinned == name else wish.source
        self._store.begin(installed(release), source, wish.action)
        self.release = release
        logger.info("moving to %s", name)
        bad = next((bad for bad in record.bad if bad.slot == release.slot), None)
        if bad is not None:
            self._store.move("rejected", f"bad on this device: {bad.reason}")
        self.prune()

    def _is_news(self, wish: TargetRelease) -> bool:
        """Return whether a wish asks for something that has not been done; hawkBit may ask twice."""
        record = self._store.record
        if record.current is not None and record.current.slot == wish.release.slot:
            return False
        last, pending = record.deployment, self._store.pending()
        return pending is not None or last is None or last.action is None or last.action != wish.action

    def _in_trial(self) -> Deployment:
        deployment = self._store.pending()
        if deployment is None or deployment.state != "trial" or self.unwritten is not None:
            raise DeliveryError("no model is in trial")
        return deployment

    def _write_verdict(self, model: Installed, reason: str | None) -> None:
        deployment = self._store.pending()
        if deployment is not None and deployment.model == model and deployment.state == "trial":
            bad = reason is not None
            self._store.move("rolled_back" if bad else "good", reason, bad=bad)
