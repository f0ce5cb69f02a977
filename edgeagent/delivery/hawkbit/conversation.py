"""Conversation with an Eclipse hawkBit server that drives this device.

::

    poll -> action -> update check -> ... -> feedback at each state
         -> cancel -> given up, or ``rejected`` when it already serves

Feedback follows the deployment record: feedback that was not sent, because the server was down or the agent
was killed, is sent at the next poll.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from edgeagent.delivery.hawkbit.ddi import (
    GONE,
    ActionFeedback,
    CancelAction,
    Controller,
    Ddi,
    Link,
    ServerError,
)
from edgeagent.delivery.hawkbit.source import HawkbitSource, Offer
from edgeagent.delivery.state.record import FINAL_STATES, Record
from edgeagent.delivery.update.policy import Device
from edgeagent.errors import DeliveryError, EdgeagentError
from edgeagent.timing.backoff import Backoff
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.version import __version__

logger = logging.getLogger(__name__)

USUAL_SLEEP_S = 300.0  # when the server gives no valid interval
SLEEP_S = (1.0, 86400.0)
RETRY_FIRST_S, RETRY_LONGEST_S = 5.0, 600.0
STOP_TIMEOUT_S = 1.0


class DrivenUpdater(Protocol):
    """Methods of the updater that hawkBit drives; each may raise DeliveryError with the reason why not."""

    def check_now(self) -> str:
        """Check for a target release."""

    def cancel(self, reason: str) -> str:
        """Give up the deployment before its trial."""

    def forgive(self, name: str, version: str) -> str:
        """Remove a model from the bad models of this device."""


class Hawkbit:
    """Polls the server, passes its actions to the source, and sends feedback.

    Args:
        ddi: client of the server.
        source: of the updater.
        record: returns the deployment record now.
        attributes: returns the attributes of this device.
        updater: that the server drives.

    Attributes:
        problem: error of the last request; None while requests succeed.
    """

    def __init__(
        self,
        ddi: Ddi,
        source: HawkbitSource,
        record: Callable[[], Record],
        attributes: Callable[[], Mapping[str, str]],
        updater: DrivenUpdater,
    ) -> None:
        self._ddi, self._source, self._record, self._updater = ddi, source, record, updater
        self._attributes = attributes
        self.problem: str | None = None
        self._link: Link | None = None  # of the offer
        self._progress: float | None = None
        self._sent: tuple[str, ActionFeedback] | None = None
        self._sent_attributes: Mapping[str, str] | None = None
        self._wake, self._stopping = threading.Event(), False
        self._thread = GuardedThread(self._run, "hawkbit")
        source.on_change = self._wake.set

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Stop; a request that hangs ends with its time-out."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout_s)

    def notify(self, progress: float | None) -> None:
        """Report a change of the record or of the fetched share, 0..1; never blocks."""
        self._progress = progress
        self._wake.set()

    def poll(self) -> float:
        """Poll the server once and follow it; return the seconds to the next poll.

        Raises:
            ServerError: the server cannot be reached, or refuses a request.
            ConfigurationError: the token cannot be read.
            DeliveryError: the proxy cannot be used.
        """
        root = self._ddi.poll()
        self._send_attributes("configData" in root.links)
        if "cancelAction" in root.links:
            self._cancel(self._ddi.cancellation(root.links["cancelAction"]))
        else:
            self._take(root)
        self.send_feedback()
        sleep_s = root.sleep_s
        return USUAL_SLEEP_S if sleep_s is None else min(max(sleep_s, SLEEP_S[0]), SLEEP_S[1])

    def send_feedback(self) -> None:
        """Send the feedback on the open action that has not been sent yet.

        Raises:
            ServerError, ConfigurationError, DeliveryError: see :meth:`poll`; it is sent the next time.
        """
        offer = self._source.offer
        feedback = self._source.feedback(offer, self._progress) if offer is not None else None
        if offer is None or feedback is None or self._sent == (offer.action, feedback):
            return
        try:
            self._ddi.send_feedback(offer.action, feedback)
        except ServerError as error:
            if error.status not in GONE:
                raise
            logger.info("action %s is not open any more: %s", offer.action, error)
        self._sent = (offer.action, feedback)

    def _run(self) -> None:
        backoff, due = Backoff(RETRY_FIRST_S, RETRY_LONGEST_S), 0.0
        while not self._stopping:
            self._wake.clear()
            try:
                if time.monotonic() >= due:
                    due = time.monotonic() + self.poll()
                    backoff.reset()
                    self._log_problem(None)
                elif self.problem is None:
                    self.send_feedback()
            except EdgeagentError as error:
                asked = error.after_s if isinstance(error, ServerError) else None
                due = time.monotonic() + max(backoff.next(), min(asked or 0.0, SLEEP_S[1]))
                self._log_problem(str(error))
            self._wake.wait(max(0.0, due - time.monotonic()))

    def _log_problem(self, problem: str | None) -> None:
        """Log a change of the problem, not every attempt."""
        if problem == self.problem:
            return
        self.problem = problem
        if problem is None:
            logger.info("%s answers again", self._ddi.address)
        else:
            logger.warning("%s; trying again", problem)

    def _send_attributes(self, asked: bool) -> None:
        attributes = self._attributes()
        if asked or attributes != self._sent_attributes:
            self._ddi.send_attributes(attributes)
            self._sent_attributes = attributes

    def _take(self, root: Controller) -> None:
        """Take over the open action, if there is one."""
        link = root.links.get("deploymentBase")
        if link is None:
            self._forget()
            if "confirmationBase" in root.links:
                self._source.waiting = "hawkBit waits for a confirmation of the update"
            return
        if link == self._link:
            return
        try:
            offer = Offer.of(self._ddi.deployment(link))
        except ServerError as error:
            if error.status not in GONE:
                raise
            self._forget()  # taken back since the poll
            return
        logger.info("hawkBit's action %s: %s", offer.action, ", ".join(offer.models))
        self._source.offer, self._link = offer, link
        self._ask(self._updater.check_now)

    def _forget(self) -> None:
        """Give up what is fetched or gated for an action that was taken back; a complete model stays."""
        self._source.offer = self._link = self._source.waiting = None
        deployment = self._record().deployment
        if deployment is None or deployment.source != "hawkbit":
            return
        if deployment.state in ("fetching", "verifying", "gating"):
            self._give_up("hawkBit has taken the update back")

    def _cancel(self, cancel: CancelAction) -> None:
        action, refusal = cancel.cancel_action.stop_id, None
        deployment = self._record().deployment
        if deployment is not None and deployment.action == action:
            if deployment.state not in FINAL_STATES:
                refusal = self._give_up("cancelled by hawkBit")
            elif deployment.state == "good":
                refusal = "it is good and serves"
        if refusal is None:
            answer = ActionFeedback(execution="closed", finished="success", detail="cancelled")
            self._source.offer = self._link = self._source.waiting = None
        else:
            answer = ActionFeedback(execution="rejected", detail=f"too late: {refusal}")
        logger.info("hawkBit cancels action %s: %s", action, answer.detail)
        self._ddi.send_feedback(cancel.id, answer, of_cancellation=True)

    def _give_up(self, reason: str) -> str | None:
        """Give up the deployment without recording the model as bad; return why not, or None."""
        deployment = self._record().deployment
        try:
            self._updater.cancel(reason)
        except DeliveryError as error:
            return str(error)
        if deployment is not None:
            self._ask(lambda: self._updater.forgive(deployment.model.name, deployment.model.version))
        return None

    def _ask(self, command: Callable[[], str]) -> None:
        try:
            command()
        except DeliveryError as error:
            logger.info("%s", error)


def attributes(device: Device, record: Record, board: str | None) -> dict[str, str]:
    """Return the attributes of a device, for hawkBit's target filters.

    Args:
        device: with its boards and labels.
        record: with the good model.
        board: model of the board, as the firmware names it; None where it is not known.
    """
    found = {
        "edgeagent": __version__,
        "boards": ",".join(device.boards),
        "labels": ",".join(device.labels),
    }
    if board is not None:
        found["board"] = board
    if record.current is not None:
        found["model"] = f"{record.current.name} {record.current.version}"
    return found
