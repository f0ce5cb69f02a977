"""How accurate an engine is on this machine: the labelled golden pictures of a bundle.

What a board measures is compared with what the bundle claims for the same artefact on the same pictures. A
few pictures tell a broken model from a sound one; they do not tell two sound ones apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgeagent.accuracy.evaluation import evaluate_detector
from edgeagent.bundle.manifest import Artefact
from edgeagent.bundle.reading import Bundle
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.detection.detector import Detector


@dataclass(frozen=True)
class GoldenAccuracyResult:
    """What was measured beside what was claimed.

    Attributes:
        measured: mAP50-95 on the golden pictures, 0..1.
        claimed: the bundle's, of the same artefact.
        tolerance: how much less may be measured.
        labelled_by: who made the labels.
    """

    measured: float
    claimed: float
    tolerance: float
    labelled_by: str

    @property
    def least(self) -> float:
        """What must be measured at least."""
        return max(0.0, self.claimed - self.tolerance)

    @property
    def right(self) -> bool:
        """Whether enough is found."""
        return self.measured >= self.least

    def describe(self) -> str:
        """Return it for people."""
        return (
            f"mAP50-95 {self.measured:.3f} on the golden pictures (labels by {self.labelled_by}), "
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
    """Measure a detector that has loaded the artefact; None where the bundle claims nothing for it.

    Args:
        bundle: verified.
        artefact: of the bundle.
        detector: loaded with :data:`edgeagent.accuracy.evaluation.IOU_THRESHOLD`.
        report: called with the number of pictures done; what it raises ends the measurement.

    Raises:
        NoAccuracyError: it cannot be measured here.
        DataError: a picture or a label file cannot be used.
        EngineError: the engine fails.
    """
    pictures, golden = golden_labels(bundle), bundle.manifest.golden
    claims = golden.accuracy if golden else None
    if pictures is None or claims is None or artefact.file not in claims.map50_95:
        return None
    measured = evaluate_detector(detector, pictures, report).map50_95
    return GoldenAccuracyResult(
        measured, claims.map50_95[artefact.file], claims.tolerance, claims.labelled_by
    )
