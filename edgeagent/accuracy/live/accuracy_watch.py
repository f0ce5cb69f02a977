"""Accuracy of the serving model, measured while it serves, and the message ``accuracy``.

::

    finish thread: frame -> sample for drift -> every k-th frame to the reference model
    own thread:    golden pictures when due, one a second; drift when an hour is full; the message

Another serving model resets all indicators. An error in a measurement is reported in its section of the
message, and affects nothing else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeagent.accuracy.drift_file import FOLDER
from edgeagent.accuracy.live.agreement_run import AgreementRun, DeviceModels, OnAgreement
from edgeagent.accuracy.live.camera_drift import CameraDrift, OnDrift
from edgeagent.accuracy.live.feedback_handler import FeedbackTopic
from edgeagent.accuracy.live.golden_run import InterruptedRunError, run_golden
from edgeagent.accuracy.live.shadow import OnCompared
from edgeagent.bundle.manifest import Manifest
from edgeagent.bundle.reading import Bundle
from edgeagent.detection.frame_result import Result
from edgeagent.detection.serving_state import Change
from edgeagent.sensors.board import read_board
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder
from edgeagent.telemetry.contract.accuracy import AccuracyMessage, GoldenReport
from edgeagent.timing.deadline import Deadline
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.utc import utc_time

logger = logging.getLogger(__name__)

CHECK_EVERY_S = 1.0  # also the pause between two golden pictures
STOP_S = 2.0


@dataclass(frozen=True)
class AccuracyCallbacks:
    """Receivers of the results, called in the thread of the watch.

    Attributes:
        publish: called with the payload of the ``accuracy`` message.
        on_drift: called when drift of a camera begins or ends.
        on_agreement: called when the agreement with the reference model becomes low, or is not any more.
        on_compared: called with each frame that the reference model has seen, in the thread of its run.
    """

    publish: Callable[[bytes], None]
    on_drift: OnDrift
    on_agreement: OnAgreement
    on_compared: OnCompared = lambda frame, agreed: None


@dataclass
class _Served:
    """Indicators of one serving model."""

    manifest: Manifest
    cameras: dict[str, CameraDrift]
    agreement: AgreementRun | None
    threshold: float
    golden: GoldenReport | None = None

    def start(self) -> None:
        if self.agreement is not None:
            self.agreement.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        if self.agreement is not None:
            self.agreement.stop(timeout_s)


class AccuracyWatch:
    """Accuracy telemetry of one device.

    Args:
        settings: settings of the agent.
        models: serving model, and source of the reference model.
        feedback: subscription to feedback; None where it is not accepted.
        run: number of this start of the agent, None where it is unknown.
        callbacks: receivers of the results.
    """

    def __init__(
        self,
        settings: Settings,
        models: DeviceModels,
        feedback: FeedbackTopic | None,
        run: int | None,
        callbacks: AccuracyCallbacks,
    ) -> None:
        self._settings, self._models, self._feedback = settings, models, feedback
        self._run, self._callbacks = run, callbacks
        self._folder: Path = state_folder(settings) / FOLDER
        self._boot_id = read_board().boot_id
        self._stopping, self._wake = threading.Event(), threading.Event()
        self._golden_due = None if settings.accuracy.golden_every is None else 0.0
        self._message_due = 0.0
        self._thread = GuardedThread(self._watch, "accuracy")
        self._served = self._serve(models.exchange.bundle)
        self._other_cameras = False

    def start(self) -> None:
        """Start the measurements."""
        self._served.start()
        self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Stop the measurements, and save the drift of all cameras."""
        deadline = Deadline(timeout_s)
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(deadline.left_s)
        self._served.stop(deadline.left_s)
        for camera in self._served.cameras.values():
            camera.save()

    def changed(self, change: Change) -> None:
        """Measure again, as another delegate or model serves; from any thread."""
        self._golden_due = 0.0 if self._settings.accuracy.golden_every is not None else None
        self._wake.set()

    def follow(self, settings: Settings) -> None:
        """Take other cameras, or another score threshold, with which the drift of all begins anew."""
        self._settings, self._other_cameras = settings, True
        self._wake.set()

    def frame(self, result: Result) -> None:
        """Process a frame; in the pipeline's finish thread."""
        served = self._served
        if result.detector.description is not served.manifest:
            return  # of the previous model, or of the next one
        camera = served.cameras.get(result.camera)
        if camera is not None:
            camera.frame(result)
        if served.agreement is not None and not result.gated:
            served.agreement.frame(result)

    def _watch(self) -> None:
        for camera in self._served.cameras.values():
            camera.notify()  # drift that began before the start
        try:
            while not self._stopping.is_set():
                self._check()
                if self._golden_due is not None and time.monotonic() >= self._golden_due:
                    self._run_golden()
                self._wake.wait(CHECK_EVERY_S)
                self._wake.clear()
        except InterruptedRunError:
            return

    def _check(self) -> None:
        """Follow the serving model, compare full slots, and publish the message if it is due."""
        if self._models.exchange.bundle.manifest is not self._served.manifest:
            self._follow(self._models.exchange.bundle)
        if self._other_cameras:
            self._other_cameras = False
            self._change_cameras()
        served = self._served
        changes = [camera.update() for camera in served.cameras.values()]
        if served.agreement is not None:
            changes.append(served.agreement.notify())
        if any(changes) or time.monotonic() >= self._message_due:
            self._publish()

    def _run_golden(self) -> None:
        every, served = self._settings.accuracy.golden_every, self._served
        self._golden_due = None if every is None else time.monotonic() + every
        found = run_golden(self._models.exchange.serving, self._pause)
        if found is None or served is not self._served:
            self._golden_due = time.monotonic() + CHECK_EVERY_S  # soon, when the change is complete
            return
        logger.info("golden pictures on %s: %s", found.serving, found.reason or found.accuracy)
        served.golden = found
        self._publish()

    def _pause(self) -> None:
        """Wait between two golden pictures, and check in the meantime."""
        if self._stopping.wait(CHECK_EVERY_S):
            raise InterruptedRunError
        self._check()

    def _publish(self) -> None:
        self._message_due = time.monotonic() + self._settings.accuracy.interval
        served = self._served
        message = AccuracyMessage(
            time=utc_time(time.time()),
            boot_id=self._boot_id,
            run=self._run,
            model=f"{served.manifest.name} {served.manifest.version}",
            golden=served.golden,
            agreement=served.agreement.report() if served.agreement else None,
            drift={name: camera.report() for name, camera in served.cameras.items()} or None,
            feedback=self._feedback.report() if self._feedback else None,
        )
        self._callbacks.publish(message.payload())

    def _serve(self, bundle: Bundle) -> _Served:
        """Return new indicators for a model, with the saved drift of all cameras."""
        settings, manifest = self._settings, bundle.manifest
        cameras = {name: self._drift(name, manifest) for name in self._watched()}
        compared = settings.accuracy.agreement_every > 0
        agreement = None
        if compared:
            callbacks = self._callbacks.on_agreement, self._callbacks.on_compared
            agreement = AgreementRun(settings, manifest, self._models, *callbacks)
        return _Served(manifest, cameras, agreement, settings.model.score_threshold)

    def _watched(self) -> list[str]:
        settings = self._settings
        return [camera.name for camera in settings.cameras if settings.accuracy.drift]

    def _drift(self, camera: str, manifest: Manifest) -> CameraDrift:
        file, settings = self._folder / f"{camera}.json", self._settings
        threshold, on_drift = settings.model.score_threshold, self._callbacks.on_drift
        return CameraDrift(file, manifest, threshold, settings.accuracy, on_drift)

    def _change_cameras(self) -> None:
        """Follow cameras that came or went; with another score threshold the drift of all begins anew."""
        served, threshold = self._served, self._settings.model.score_threshold
        before, served.threshold, same = served.cameras, threshold, threshold == served.threshold
        for name, camera in before.items():
            if name not in self._watched():
                camera.save()
        served.cameras = {
            name: before[name] if same and name in before else self._drift(name, served.manifest)
            for name in self._watched()
        }
        for name, camera in before.items():
            if served.cameras.get(name) is not camera:
                camera.withdraw()

    def _follow(self, bundle: Bundle) -> None:
        """Replace the indicators, as another model serves."""
        before, served = self._served, self._serve(bundle)
        served.start()
        if self._feedback is not None:
            self._feedback.handler.reset(served.manifest)
        self._served = served
        before.stop()
        for camera in before.cameras.values():
            camera.withdraw()
        if before.agreement is not None:
            before.agreement.withdraw()
        for camera in served.cameras.values():
            camera.notify()
        self._publish()
