"""Comparison of the serving model with a reference model on live frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgeagent.accuracy.agreement import Agreement
from edgeagent.accuracy.agreement_window import AgreementWindow
from edgeagent.accuracy.live.reference_model import ReferenceModel
from edgeagent.accuracy.live.reports import agreement_report, low_agreement_text
from edgeagent.accuracy.live.shadow import STOP_S, OnCompared, Shadow
from edgeagent.bundle.manifest import Manifest
from edgeagent.bundle.reading import Bundle
from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.frame_result import Result
from edgeagent.detection.journal import Journal
from edgeagent.settings.schema import Settings
from edgeagent.telemetry.contract.accuracy import AgreementReport

OnAgreement = Callable[[str | None], None]
"""Called with the problem, or with None when the agreement is not low any more."""


@dataclass(frozen=True)
class DeviceModels:
    """Models of the device.

    Attributes:
        exchange: model that serves.
        journal: journal of trials of delegates; None where there is none.
        previous: returns the good model before the one that serves; None where there is none.
    """

    exchange: ModelExchange
    journal: Journal | None
    previous: Callable[[], Bundle | None]


class AgreementRun:
    """Shadow run of the reference model, from start to stop.

    Args:
        settings: settings of the agent, with ``accuracy.agreement_every`` above 0.
        manifest: manifest of the serving model.
        models: source of the reference model.
        on_agreement: called when the agreement becomes low, and when it is not any more.
        on_compared: called with each compared frame, in the thread of the shadow run.
    """

    def __init__(
        self,
        settings: Settings,
        manifest: Manifest,
        models: DeviceModels,
        on_agreement: OnAgreement,
        on_compared: OnCompared = lambda frame, agreed: None,
    ) -> None:
        self._reference = ReferenceModel(settings, manifest, models.journal, models.previous)
        self._agreement, self._window = Agreement(), AgreementWindow(settings.accuracy.agreement_alarm)
        self._on_agreement, self._notified = on_agreement, False
        self._reason: str | None = None
        every = settings.accuracy.agreement_every
        self._shadow = Shadow(self._reference.load, settings.model, every, self._add, self._end, on_compared)

    def start(self) -> None:
        """Start to load the reference model."""
        self._shadow.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Stop the shadow run."""
        self._shadow.stop(timeout_s)

    def frame(self, result: Result) -> None:
        """Compare a frame, if it is one of those that are compared."""
        self._shadow.offer(result)

    def notify(self) -> bool:
        """Report an agreement that has become low or not low since the last report; return whether it has."""
        recent = self._window.recent()
        if recent.low == self._notified:
            return False
        self._notified = recent.low
        self._on_agreement(low_agreement_text(recent, self._reference.name) if recent.low else None)
        return True

    def withdraw(self) -> None:
        """Report that the agreement is not low any more, as another model serves."""
        if self._notified:
            self._on_agreement(None)

    def report(self) -> AgreementReport:
        """Return the section of the ``accuracy`` message."""
        recent, dropped = self._window.recent(), self._shadow.dropped
        return agreement_report(self._agreement, recent, dropped, self._reference.name, self._reason)

    def _add(self, agreement: Agreement) -> None:
        self._agreement += agreement
        self._window.record(agreement)

    def _end(self, reason: str) -> None:
        self._reason = reason
