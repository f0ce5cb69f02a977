"""Result of a frame, as the pipeline delivers it, and the names of its stages."""

from __future__ import annotations

from dataclasses import dataclass

from edgeagent.detection.detector import Detector
from edgeagent.imaging.frame import Frame
from edgeagent.vision.detections import Detections

STAGES: tuple[str, ...] = ("age", "preprocess", "queue", "inference", "decode", "publish", "end_to_end")
"""``queue`` is the time after ``preprocess`` spent waiting for the engine and the decoder: stages add up."""


@dataclass(frozen=True, slots=True)
class Result:
    """Detections of one frame.

    Attributes:
        camera: its name.
        frame: that was detected on; its image is valid only during the call that delivers the result.
        detections: in pixels of the frame.
        candidates: detections down to the lower threshold of the pipeline, these included, for trackers.
        detector: that made them.
        inference_ns: nanoseconds that the engine worked, for all parts of the frame; 0 for a gated frame.
        gated: whether nothing moved, so that the detections are those of the frame before.
    """

    camera: str
    frame: Frame
    detections: Detections
    detector: Detector
    inference_ns: int
    candidates: Detections | None = None
    gated: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.detector.description.labels


@dataclass(frozen=True, slots=True)
class ScoreThresholds:
    """Lowest scores, 0..1.

    Attributes:
        detections: of a detection.
        candidates: of a candidate, which continues the track of an object; at most ``detections``.
    """

    detections: float
    candidates: float

    @classmethod
    def one(cls, score: float) -> ScoreThresholds:
        """Return thresholds without candidates below the detections."""
        return cls(score, score)
