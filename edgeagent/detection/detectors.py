"""Source of the detector of a pipeline, which may change between two frames."""

from __future__ import annotations

from typing import Protocol

from edgeagent.detection.detector import Detector
from edgeagent.errors import EngineError


class Detectors(Protocol):
    """Source of the detector of a pipeline."""

    def current(self, timeout: float) -> Detector | None:
        """Return the detector that serves, waiting up to ``timeout`` seconds; None if none does."""

    def wait_turn(self) -> None:
        """Return once a frame may begin; not while another engine is timed."""

    def worked(self, detector: Detector) -> None:
        """Record that a frame went through a detector."""

    def failed(self, detector: Detector, error: EngineError) -> None:
        """Record that a frame failed; an error that is raised here ends the pipeline."""


class OneDetector:
    """A single detector that is never replaced: its first failure ends the pipeline."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def current(self, timeout: float) -> Detector:
        """Return the detector."""
        return self._detector

    def wait_turn(self) -> None:
        """Do nothing."""

    def worked(self, detector: Detector) -> None:
        """Do nothing."""

    def failed(self, detector: Detector, error: EngineError) -> None:
        """Raise the error."""
        raise error
