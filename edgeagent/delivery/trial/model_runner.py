"""Model runner of the device, for the updater: gate, trial, and return to the last good model.

::

    good model serves (its traffic is the baseline) -> gate of the next one -> exchanged: on trial -> good
                    ^                                                             | strike, no delegate, drift
                    +---------------------- last good model ----------------------+

Frames and changes come in the threads of the pipeline and of the serving detector, and are never blocked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from edgeagent.accuracy.live.shadow import NICER, STOP_S, Shadow
from edgeagent.bundle.manifest import Manifest
from edgeagent.bundle.reading import Bundle
from edgeagent.delivery.configured_bundle import configured_bundle
from edgeagent.delivery.state.store import Store
from edgeagent.delivery.trial.behaviour import Traffic
from edgeagent.delivery.trial.gate import Gate, Passed, usable_files
from edgeagent.delivery.trial.gate_report import PROBATION_REPORT, GateReport, keep_report
from edgeagent.delivery.trial.probation import Probation, ProbationBaseline
from edgeagent.detection.detector import Detector
from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.frame_result import Result
from edgeagent.detection.journal import Journal
from edgeagent.detection.ranking import rank_candidates
from edgeagent.detection.serving_state import Change
from edgeagent.errors import EdgeagentError
from edgeagent.settings.schema import Settings
from edgeagent.timing.utc import utc_time

logger = logging.getLogger(__name__)

CHECK_EVERY_S = 1.0  # of the trial
RESTARTED = "the agent was restarted during the trial"


class TrialListener(Protocol):
    """Listener of a trial: :class:`edgeagent.delivery.update.updater.Updater`."""

    def trial_ended(self, reason: str | None) -> Future[str]:
        """Report the verdict of probation: None is good, otherwise why not."""

    def strike(self, reason: str) -> Future[str]:
        """Report a crash or a hang during the trial."""

    def model_damaged(self, reason: str) -> Future[str]:
        """Report that a file of the serving model was refused, as it is damaged."""


@dataclass
class _Watched:
    """A model that serves, with its statistics.

    Attributes:
        manifest: its detectors' description, by which its frames are known.
        record: called with number of detections, sum of scores and inference nanoseconds of a frame.
        traffic: its statistics, the baseline of the next trial.
        probation: of a trial; None for a good model, and once the verdict is reported.
        shadow: shadow run of the last good model.
        check_at: monotonic time of the next check of the trial.
    """

    manifest: Manifest
    record: Callable[[int, float, int], None]
    traffic: Traffic
    probation: Probation | None = None
    shadow: Shadow | None = None
    check_at: float = 0.0


class DeviceModelRunner:
    """Gates, exchanges and supervises the models of this device.

    Args:
        settings: of the agent, with ``delivery``.
        store: gives the good model.
        models: what serves now.
        journal: of trials of delegates.

    Attributes:
        listener: listener of the trial; to be set before frames come.
    """

    listener: TrialListener

    def __init__(
        self, settings: Settings, store: Store, models: ModelExchange, journal: Journal | None
    ) -> None:
        if settings.delivery is None:
            raise ValueError("a board needs the delivery section")
        self._settings, self._probation = settings, settings.delivery.probation
        self._store, self._models, self._journal = store, models, journal
        self._gate = Gate(settings, journal)
        self._watched = self._good(models.bundle.manifest, Traffic(self._probation.frames))

    def resume(self) -> None:
        """Continue the trial of a model that an earlier run of the agent began and that serves now."""
        deployment = self._store.pending()
        if deployment is not None and deployment.state == "trial" and self._store.trial_serves:
            manifest = self._models.bundle.manifest
            self._watched = self._on_trial(manifest, ProbationBaseline(None, RESTARTED), deployment.strikes)

    def usable_files(self, manifest: Manifest) -> list[str]:
        """Return the files of a bundle that this board needs."""
        return usable_files(manifest, self._settings)

    def gate(self, bundle: Bundle) -> Passed:
        """Check a model while another serves; see :meth:`edgeagent.delivery.trial.gate.Gate.check`."""
        return self._gate.check(bundle)

    def serve(self, passed: Passed | None) -> None:
        """Let a model serve on trial; None returns to the good one.

        Raises:
            EdgeagentError: it cannot be started; the present model goes on serving.
        """
        before = self._watched
        if passed is None:
            self._go_back()
        else:
            manifest = passed.bundle.manifest
            baseline = ProbationBaseline(before.traffic.behaviour(), labels=before.manifest.labels)
            self._watched = self._on_trial(manifest, baseline)
            try:
                self._models.exchange(passed.candidates)
            except EdgeagentError:
                self._end_shadow(self._watched)
                self._watched = before
                raise
        self._end_shadow(before)

    def frame(self, result: Result) -> None:
        """Record the result of a frame; in the pipeline's finish thread."""
        watched = self._watched
        if result.detector.description is not watched.manifest:
            return  # of a model that was exchanged
        if not result.gated:
            found = result.detections
            if found.classification is not None:
                watched.record(1, found.classification.score, result.inference_ns)
            else:
                watched.record(len(found), float(found.scores.sum()), result.inference_ns)
            if watched.shadow is not None:
                watched.shadow.offer(result)
        if watched.probation is not None:
            now = time.monotonic()
            if now >= watched.check_at:
                watched.check_at = now + CHECK_EVERY_S
                self._check_trial(watched, watched.probation)

    def changed(self, change: Change) -> None:
        """Record what serves from now on; a detector that was given up is a strike against its model."""
        watched = self._watched
        probation, serves = watched.probation, self._models.bundle.manifest is watched.manifest
        if change.damaged is not None and serves:
            self.listener.model_damaged(change.damaged)  # no fault of the model: no strike
            return
        if probation is None or change.failure is None or not serves:
            return
        probation.strike(change.failure)
        if change.serving is None:
            probation.gone(change.reason)
        if not self._check_trial(watched, probation):
            self.listener.strike(change.failure)

    def stop(self, timeout_s: float = STOP_S) -> None:
        """End the shadow run."""
        self._end_shadow(self._watched, timeout_s)

    def _check_trial(self, watched: _Watched, probation: Probation) -> bool:
        """Report the verdict, if there is one; return whether there is."""
        verdict, reason = probation.verdict(time.monotonic())
        if verdict == "on_trial":
            return False
        logger.info("probation of %s %s: %s", watched.manifest.name, watched.manifest.version, reason)
        watched.probation = None
        if verdict == "good":
            self._end_shadow(watched)
        reported = self.listener.trial_ended(None if verdict == "good" else reason)
        reported.add_done_callback(
            lambda _: self._keep(watched.manifest, probation)
        )  # not here: writes a file
        return True

    def _keep(self, manifest: Manifest, probation: Probation) -> None:
        report = GateReport(
            name=manifest.name,
            version=manifest.version,
            time=utc_time(time.time()),
            findings=probation.findings(),
        )
        keep_report(self._store.folder, report, PROBATION_REPORT)

    def _go_back(self) -> None:
        """Let the good model serve, or the configured bundle where the good model cannot be started."""
        try:
            bundle = self._good_bundle()
            self._models.exchange(rank_candidates(bundle, self._settings, self._journal))
        except EdgeagentError as error:
            configured = configured_bundle(self._settings)
            if self._store.record.current is None:
                raise
            logger.error("the good model does not start (%s); the configured bundle serves", error)
            self._models.exchange(rank_candidates(configured, self._settings, self._journal))
        self._watched = self._good(self._models.bundle.manifest, Traffic(self._probation.frames))

    def _good_bundle(self) -> Bundle:
        return self._store.good() or configured_bundle(self._settings)

    def _good(self, manifest: Manifest, traffic: Traffic) -> _Watched:
        return _Watched(manifest, traffic.record, traffic)

    def _on_trial(self, manifest: Manifest, baseline: ProbationBaseline, strikes: int = 0) -> _Watched:
        probation = Probation(self._probation, baseline, manifest.labels, time.monotonic(), strikes)
        return _Watched(manifest, probation.frame, probation.traffic, probation, self._shadow(probation))

    def _shadow(self, probation: Probation) -> Shadow | None:
        if not self._probation.shadow_every:
            return None
        shadow = Shadow(
            self._load_good,
            self._settings.model,
            self._probation.shadow_every,
            probation.shadowed,
            probation.shadow_ended,
        )
        shadow.start()
        return shadow

    def _load_good(self) -> Detector:
        return rank_candidates(self._good_bundle(), self._settings, self._journal, NICER).start()

    def _end_shadow(self, watched: _Watched, timeout_s: float = STOP_S) -> None:
        shadow, watched.shadow = watched.shadow, None
        if shadow is not None:
            shadow.stop(timeout_s)
