"""The conversation with an Eclipse hawkBit server that drives this device.

::

    poll -> action -> the updater looks -> ... -> feedback at each state
         -> cancel -> given up, or ``rejected`` when it already serves

Feedback follows the record of the device: what the server has not been told, because it was away or the agent
was killed, it is told at the next poll.
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
from edgeagent.version import __version__

logger = logging.getLogger(__name__)

USUAL_SLEEP_S = 300.0  # where the server says nothing sensible
SLEEP_S = (1.0, 86400.0)
RETRY_FIRST_S, RETRY_LONGEST_S = 5.0, 600.0
STOP_TIMEOUT_S = 1.0


class Driven(Protocol):
    """What hawkBit drives: the updater. Each may raise DeliveryError with the reason why not."""

    def check_now(self) -> str:
        """Look what the source wishes."""

    def cancel(self, reason: str) -> str:
        """Give up the deployment before its trial."""

    def forgive(self, name: str, version: str) -> str:
        """Take a model from those that are bad here."""


class Hawkbit:
    """Polls the server, gives its actions to the source, and tells it what becomes of them.

    Args:
        ddi: connection to the server.
        source: that the updater asks.
        record: gives what the device remembers now.
        attributes: gives what the server is told of this device.
        driven: the updater.

    Attributes:
        trouble: what is wrong with the server, for people; None while all is well.
    """

    def __init__(
        self,
        ddi: Ddi,
        source: HawkbitSource,
        record: Callable[[], Record],
        attributes: Callable[[], Mapping[str, str]],
        driven: Driven,
    ) -> None:
        self._ddi, self._source, self._record, self._driven = ddi, source, record, driven
        self._attributes = attributes
        self.trouble: str | None = None
        self._link: Link | None = None  # that the offer came from
        self._progress: float | None = None
        self._told: tuple[str, ActionFeedback] | None = None
        self._told_attributes: Mapping[str, str] | None = None
        self._news, self._stopping = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="hawkbit", daemon=True)
        source.on_news = self._news.set

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def stop(self) -> None:
        """End; a request that hangs is left to its time-out."""
        self._stopping = True
        self._news.set()
        self._thread.join(STOP_TIMEOUT_S)

    def note(self, progress: float | None) -> None:
        """Learn that the record has changed, or which share has been fetched, 0..1; never waits."""
        self._progress = progress
        self._news.set()

    def poll(self) -> float:
        """Ask the server once and do what it says; return seconds until it is to be asked again.

        Raises:
            ServerError: it cannot be asked, or does not do what it is asked.
            ConfigurationError: the token cannot be read.
        """
        root = self._ddi.poll()
        self._describe("configData" in root.links)
        if "cancelAction" in root.links:
            self._cancel(self._ddi.cancelation(root.links["cancelAction"]))
        else:
            self._take(root)
        self.tell()
        sleep_s = root.sleep_s
        return USUAL_SLEEP_S if sleep_s is None else min(max(sleep_s, SLEEP_S[0]), SLEEP_S[1])

    def tell(self) -> None:
        """Send what the server has not been told of the open action.

        Raises:
            ServerError, ConfigurationError: see :meth:`poll`; it is told the next time.
        """
        offer = self._source.offer
        feedback = self._source.feedback(offer, self._progress) if offer is not None else None
        if offer is None or feedback is None or self._told == (offer.action, feedback):
            return
        try:
            self._ddi.tell(offer.action, feedback)
        except ServerError as error:
            if error.status not in GONE:
                raise
            logger.info("action %s is not open any more: %s", offer.action, error)
        self._told = (offer.action, feedback)

    def _run(self) -> None:
        backoff, due = Backoff(RETRY_FIRST_S, RETRY_LONGEST_S), 0.0
        while not self._stopping:
            self._news.clear()
            try:
                if time.monotonic() >= due:
                    due = time.monotonic() + self.poll()
                    backoff.reset()
                    self._note_trouble(None)
                elif self.trouble is None:
                    self.tell()
            except EdgeagentError as error:
                asked = error.after_s if isinstance(error, ServerError) else None
                due = time.monotonic() + max(backoff.next(), min(asked or 0.0, SLEEP_S[1]))
                self._note_trouble(str(error))
            self._news.wait(max(0.0, due - time.monotonic()))

    def _note_trouble(self, trouble: str | None) -> None:
        """Log a change, not every attempt."""
        if trouble == self.trouble:
            return
        self.trouble = trouble
        if trouble is None:
            logger.info("%s answers again", self._ddi.address)
        else:
            logger.warning("%s; trying again", trouble)

    def _describe(self, asked: bool) -> None:
        attributes = self._attributes()
        if asked or attributes != self._told_attributes:
            self._ddi.describe(attributes)
            self._told_attributes = attributes

    def _take(self, root: Controller) -> None:
        """Learn which action is open, if any."""
        link = root.links.get("deploymentBase")
        if link is None:
            self._forget()
            if "confirmationBase" in root.links:
                self._source.waiting = "hawkBit waits until somebody confirms the update there"
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
        self._ask(self._driven.check_now)

    def _forget(self) -> None:
        """No action is open: what is fetched or tried on its behalf is given up; what is complete stays."""
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
        self._ddi.tell(cancel.id, answer, of_cancelation=True)

    def _give_up(self, reason: str) -> str | None:
        """Give up what is on its way, without holding it against the model; return why not."""
        deployment = self._record().deployment
        try:
            self._driven.cancel(reason)
        except DeliveryError as error:
            return str(error)
        if deployment is not None:
            self._ask(lambda: self._driven.forgive(deployment.model.name, deployment.model.version))
        return None

    def _ask(self, command: Callable[[], str]) -> None:
        try:
            command()
        except DeliveryError as error:
            logger.info("%s", error)


def attributes(device: Device, record: Record, board: str | None) -> dict[str, str]:
    """Return what hawkBit is told of a device; target filters of its rollouts can use it.

    Args:
        device: with its boards and labels.
        record: with the good model.
        board: model of the board, as the firmware calls it.
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
