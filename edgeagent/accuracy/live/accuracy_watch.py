"""Finds out about accuracy while a model serves, and publishes it as ``accuracy``.

::

    finish thread: frame -> a sample now and then for drift -> every k-th to the reference -> remembered
    this thread:   golden pictures when due, one a second; drift when an hour is full; the message

A model that begins to serve begins everything anew. What fails here ends nothing but itself.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgeagent.accuracy.agreement import Agreement
from edgeagent.accuracy.drift import SAMPLE_EVERY_S, Drift
from edgeagent.accuracy.drift_file import FOLDER, read_drift, write_drift
from edgeagent.accuracy.live.feedback_handler import FeedbackHandler
from edgeagent.accuracy.live.golden_run import InterruptedRunError, run_golden
from edgeagent.accuracy.live.reference_model import ReferenceModel
from edgeagent.accuracy.live.reports import agreement_report, drift_report, problem_text
from edgeagent.accuracy.live.shadow import Shadow
from edgeagent.bundle.manifest import Manifest
from edgeagent.bundle.reading import Bundle
from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.journal import Journal
from edgeagent.detection.pipeline import Result
from edgeagent.errors import EdgeagentError
from edgeagent.sensors.board import read_board
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder
from edgeagent.telemetry.contract.accuracy import AccuracyMessage, AgreementReport, GoldenReport
from edgeagent.timing.rate_limit import RateLimit
from edgeagent.timing.utc import utc_time

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0  # also between two golden pictures
STOP_S = 2.0

OnDrift = Callable[[str, str | None], None]


@dataclass
class _Camera:
    """Drift of one camera, and when it is sampled."""

    drift: Drift
    limit: RateLimit
    told: bool = False


@dataclass
class _Beside:
    """A run of the reference model."""

    model: ReferenceModel
    shadow: Shadow
    agreed: Agreement = field(default_factory=Agreement)
    reason: str | None = None

    def compared(self, agreed: Agreement) -> None:
        self.agreed += agreed

    def report(self) -> AgreementReport:
        return agreement_report(self.agreed, self.shadow.dropped, self.model.name, self.reason)


@dataclass
class _Served:
    """The model that serves and what is known of it."""

    manifest: Manifest
    key: str
    cameras: dict[str, _Camera]
    beside: _Beside | None
    golden: GoldenReport | None = None


class AccuracyWatch:
    """One device's accuracy telemetry.

    Args:
        settings: of the agent.
        cameras: names.
        models: what serves.
        journal: of trials of delegates.
        previous: the good model before the one that serves; None where there is none.
        desk: takes feedback; None where none is taken.
        ignored: returns how much feedback was not even looked at.
        run: number of this start of the agent.
        publish: takes the message.
        on_drift: told the camera, and what is wrong for people, or None when it is over.
    """

    def __init__(
        self,
        settings: Settings,
        cameras: Sequence[str],
        models: ModelExchange,
        journal: Journal | None,
        previous: Callable[[], Bundle | None],
        desk: FeedbackHandler | None,
        ignored: Callable[[], int],
        run: int | None,
        publish: Callable[[bytes], None],
        on_drift: OnDrift,
    ) -> None:
        self._settings, self._chosen, self._names = settings, settings.accuracy, tuple(cameras)
        self._models, self._journal, self._previous = models, journal, previous
        self._desk, self._ignored, self._run = desk, ignored, run
        self._publish, self._on_drift = publish, on_drift
        self._folder: Path = state_folder(settings) / FOLDER
        self._boot_id = read_board().boot_id
        self._stopping, self._wake = threading.Event(), threading.Event()
        self._golden_due = None if self._chosen.golden_every is None else 0.0
        self._message_due, self._last = 0.0, b""
        self._thread = threading.Thread(target=self._watch, name="accuracy", daemon=True)
        self._served = self._begin(models.bundle)

    def start(self) -> None:
        """Begin."""
        if self._served.beside is not None:
            self._served.beside.shadow.start()
        self._thread.start()

    def stop(self) -> None:
        """End, and keep what is known."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)
        self._leave(self._served)

    def changed(self) -> None:
        """Learn that something else serves from now on; from any thread."""
        self._golden_due = 0.0 if self._chosen.golden_every is not None else None
        self._wake.set()

    def frame(self, result: Result) -> None:
        """Learn of a frame; in the pipeline's finish thread."""
        served = self._served
        if result.detector.description is not served.manifest:
            return  # of a model that has left, or that comes
        camera = served.cameras.get(result.camera)
        if camera is not None and camera.limit.allows(result.frame.captured_ns):
            camera.drift.record(result.detections, result.frame.image)
        if served.beside is not None:
            served.beside.shadow.offer(result)

    def _watch(self) -> None:
        for name, camera in self._served.cameras.items():
            self._tell(name, camera)  # that it had drifted before the start
        try:
            while not self._stopping.is_set():
                self._look()
                if self._golden_due is not None and time.monotonic() >= self._golden_due:
                    self._run_golden()
                self._wake.wait(LOOK_EVERY_S)
                self._wake.clear()
        except InterruptedRunError:
            return

    def _look(self) -> None:
        """Follow the model that serves, compare what is full, and publish what is due."""
        if self._models.bundle.manifest is not self._served.manifest:
            self._follow(self._models.bundle)
        turned = False
        for name, camera in self._served.cameras.items():
            if camera.drift.look():
                turned |= self._tell(name, camera)
                self._keep(name, camera)
        if turned or time.monotonic() >= self._message_due:
            self._send()

    def _run_golden(self) -> None:
        every, served = self._chosen.golden_every, self._served
        self._golden_due = None if every is None else time.monotonic() + every
        found = run_golden(self._models.serving, self._pause)
        if found is None or served is not self._served:
            self._golden_due = time.monotonic() + LOOK_EVERY_S  # soon, when the change is over
            return
        logger.info("golden pictures on %s: %s", found.serving, found.reason or f"mAP {found.map50_95}")
        served.golden = found
        self._send()

    def _pause(self) -> None:
        """Wait between two golden pictures, and do what is due meanwhile."""
        if self._stopping.wait(LOOK_EVERY_S):
            raise InterruptedRunError
        self._look()

    def _send(self) -> None:
        self._message_due = time.monotonic() + self._chosen.interval
        served = self._served
        message = AccuracyMessage(
            time=utc_time(time.time()),
            boot_id=self._boot_id,
            run=self._run,
            model=f"{served.manifest.name} {served.manifest.version}",
            golden=served.golden,
            agreement=served.beside.report() if served.beside else None,
            drift={name: drift_report(camera.drift) for name, camera in served.cameras.items()} or None,
            feedback=self._desk.report(self._ignored()) if self._desk else None,
        )
        self._publish(message.payload())

    def _tell(self, name: str, camera: _Camera) -> bool:
        """Say that a camera has drifted, or no longer does; return whether that is news."""
        drifted = bool(camera.drift.drifted)
        if drifted == camera.told:
            return False
        camera.told = drifted
        self._on_drift(name, problem_text(name, camera.drift) if drifted else None)
        return True

    def _begin(self, bundle: Bundle) -> _Served:
        manifest = bundle.manifest
        key = model_key(manifest, self._settings.model.score_threshold, self._chosen.drift_days)
        cameras = {}
        if self._chosen.drift:
            for name in self._names:
                kept = read_drift(self._file(name), key, len(manifest.labels))
                drift = Drift(len(manifest.labels), self._chosen.drift_days, kept)
                cameras[name] = _Camera(drift, RateLimit(1 / SAMPLE_EVERY_S))
        return _Served(manifest, key, cameras, self._make_beside(manifest))

    def _make_beside(self, manifest: Manifest) -> _Beside | None:
        if not self._chosen.agreement_every:
            return None
        model = ReferenceModel(self._settings, manifest, self._journal, self._previous)
        every, settings = self._chosen.agreement_every, self._settings.model

        def compared(agreed: Agreement) -> None:
            beside.compared(agreed)

        def ended(reason: str) -> None:
            beside.reason = reason

        beside = _Beside(model, Shadow(model.load, settings, every, compared, ended))
        return beside

    def _follow(self, bundle: Bundle) -> None:
        """Begin anew with the model that serves now."""
        before, served = self._served, self._begin(bundle)
        if served.beside is not None:
            served.beside.shadow.start()
        if self._desk is not None:
            self._desk.begin(served.manifest)
        self._served = served
        if before.beside is not None:
            before.beside.shadow.stop()
        for name, camera in before.cameras.items():
            if camera.told:
                self._on_drift(name, None)
        for name, camera in served.cameras.items():
            self._tell(name, camera)
        self._send()

    def _leave(self, served: _Served) -> None:
        if served.beside is not None:
            served.beside.shadow.stop()
        for name, camera in served.cameras.items():
            self._keep(name, camera)

    def _keep(self, name: str, camera: _Camera) -> None:
        try:
            write_drift(self._file(name), self._served.key, camera.drift.kept())
        except EdgeagentError as error:
            logger.error("%s; after a restart the reference is what was kept before", error)

    def _file(self, camera: str) -> Path:
        return self._folder / f"{camera}.json"


def model_key(manifest: Manifest, score_threshold: float, days: int) -> str:
    """Return what a reference belongs to: artefacts of a bundle, score threshold, and its length in days."""
    hashes = "".join(sorted(artefact.sha256 for artefact in manifest.artefacts))
    digest = hashlib.sha256(hashes.encode()).hexdigest()[:16]
    return f"{manifest.name} {manifest.version} {digest} {score_threshold:g} {days}d"
