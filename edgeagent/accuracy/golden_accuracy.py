"""Accuracy of an engine on this board, measured on the labelled golden pictures of a bundle.

The measurement is compared with the bundle's claim for the same artefact and pictures. A few pictures tell a
broken model from a sound one; they do not rank two sound ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgeagent.accuracy.evaluation import evaluate_model, measured_value
from edgeagent.bundle.manifest import Artefact
from edgeagent.bundle.reading import Bundle
from edgeagent.bundle.task import Measure
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.detection.detector import Detector


@dataclass(frozen=True)
class GoldenAccuracyResult:
    """Measured and claimed accuracy of an artefact.

    Attributes:
        measure: measure of the task.
        measured: its value on the golden pictures, 0..1.
        claimed: claim of the bundle for the same artefact, 0..1.
        tolerance: allowed shortfall of the measurement, 0..1.
        labelled_by: source of the labels.
    """

    measure: Measure
    measured: float
    claimed: float
    tolerance: float
    labelled_by: str

    @property
    def least(self) -> float:
        """Lowest accepted measurement, 0..1."""
        return max(0.0, self.claimed - self.tolerance)

    @property
    def right(self) -> bool:
        """Whether the measurement is accepted."""
        return self.measured >= self.least

    def describe(self) -> str:
        """Return measurement, claim and limit in one sentence."""
        return (
            f"{self.measure.title} {self.measured:.3f} on the golden pictures "
            f"(labels by {self.labelled_by}), "
            f"{self.claimed:.3f} claimed, {self.least:.3f} needed"
        )


def golden_labels(bundle: Bundle) -> LabelledPictures | None:
    """Return the golden pictures with their labels; None where the bundle has no labels."""
    golden = bundle.manifest.golden
    if golden is None or golden.accuracy is None:
        return None
    labels = (golden.accuracy.labels.get(name) for name in golden.pictures)
    files = tuple(None if name is None else bundle.directory / name for name in labels)
    return LabelledPictures(bundle.golden_pictures(), files)


def measure_golden(
    bundle: Bundle,
    artefact: Artefact,
    detector: Detector,
    report: Callable[[int], None] = lambda done: None,
) -> GoldenAccuracyResult | None:
    """Measure a detector with the artefact loaded; return None where the bundle has no claim for it.

    Args:
        bundle: verified bundle.
        artefact: artefact of the bundle.
        detector: detector loaded with :data:`edgeagent.accuracy.evaluation.IOU_THRESHOLD`.
        report: called with the number of processed pictures; an exception ends the measurement.

    Raises:
        NoAccuracyError: pycocotools is not installed, or there is no labelled object.
        DataError: a picture or a label file cannot be used.
        EngineError: the engine fails.
    """
    pictures, golden = golden_labels(bundle), bundle.manifest.golden
    claims = golden.accuracy if golden else None
    if pictures is None or claims is None or artefact.file not in claims.claims:
        return None
    measured = measured_value(evaluate_model(detector, pictures, report))
    return GoldenAccuracyResult(
        claims.measure, measured, claims.claims[artefact.file], claims.tolerance, claims.labelled_by
    )
