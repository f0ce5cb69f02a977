"""Drift of one running camera: samples its frames, saves the counts, and reports changes of the state."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from edgeagent.accuracy.drift import SAMPLE_EVERY_S, Drift
from edgeagent.accuracy.drift_file import read_drift, write_drift
from edgeagent.accuracy.live.reports import drift_report, problem_text
from edgeagent.bundle.manifest import Manifest
from edgeagent.detection.frame_result import Result
from edgeagent.errors import EdgeagentError
from edgeagent.settings.sections.accuracy import AccuracySettings
from edgeagent.telemetry.contract.accuracy import DriftReport
from edgeagent.timing.rate_limit import RateLimit

logger = logging.getLogger(__name__)

OnDrift = Callable[[str, str | None], None]
"""Called with a camera and the problem, or with None when the drift is over."""


class CameraDrift:
    """Drift of one camera under one model, continued from its file.

    Args:
        file: drift file of the camera.
        manifest: manifest of the serving model.
        score_threshold: threshold of its detections, 0..1.
        settings: length of the reference.
        on_drift: called when drift begins or ends.
    """

    def __init__(
        self,
        file: Path,
        manifest: Manifest,
        score_threshold: float,
        settings: AccuracySettings,
        on_drift: OnDrift,
    ) -> None:
        self._file, self._on_drift = file, on_drift
        self._key = model_key(manifest, score_threshold, settings.drift_days)
        classes = len(manifest.labels)
        self._drift = Drift(classes, settings.drift_days, read_drift(file, self._key, classes))
        self._limit = RateLimit(1 / SAMPLE_EVERY_S)
        self._notified = False

    @property
    def camera(self) -> str:
        """Name of the camera."""
        return self._file.stem

    def frame(self, result: Result) -> None:
        """Count a frame if a sample is due."""
        if self._limit.allows(result.frame.captured_ns):
            self._drift.record(result.detections, result.frame.image)

    def update(self) -> bool:
        """Compare and save full slots; return whether drift has begun or ended."""
        if not self._drift.compare_new_slots():
            return False
        changed = self.notify()
        self.save()
        return changed

    def notify(self) -> bool:
        """Report drift that has begun or ended since the last report; return whether it has."""
        drifted = bool(self._drift.drifted)
        if drifted == self._notified:
            return False
        self._notified = drifted
        self._on_drift(self.camera, problem_text(self.camera, self._drift) if drifted else None)
        return True

    def withdraw(self) -> None:
        """Report that the drift is over, as another model serves."""
        if self._notified:
            self._on_drift(self.camera, None)

    def save(self) -> None:
        """Write the drift file; an error is logged."""
        try:
            write_drift(self._file, self._key, self._drift.snapshot())
        except EdgeagentError as error:
            logger.error("%s; after a restart the counts saved before are used", error)

    def report(self) -> DriftReport:
        """Return the section of the ``accuracy`` message."""
        return drift_report(self._drift)


def model_key(manifest: Manifest, score_threshold: float, days: int) -> str:
    """Return the identity of a reference: artefacts of a bundle, score threshold, and length in days."""
    hashes = "".join(sorted(artefact.sha256 for artefact in manifest.artefacts))
    digest = hashlib.sha256(hashes.encode()).hexdigest()[:16]
    return f"{manifest.name} {manifest.version} {digest} {score_threshold:g} {days}d"
