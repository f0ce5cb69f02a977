"""Boxes of the golden pictures: what an engine and its decoder find, against the labels of the bundle.

The reference outputs show that an engine computes what was trained; only boxes show that the decoder of the
manifest reads these outputs as the model means them. Labels and claimed accuracy are those of
:class:`edgeagent.bundle.manifest.GoldenAccuracy`; a bundle without them is checked for boxes that lie outside
the picture or have no size.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from edgeagent.bundle.manifest import Artefact
from edgeagent.bundle.reading import Bundle
from edgeagent.datasets.labels import Labels
from edgeagent.datasets.yolo_labels import read_labels
from edgeagent.errors import EngineError
from edgeagent.imaging.letterbox import Fit
from edgeagent.vision.detections import Detections
from edgeagent.vision.nms import intersection_over_union
from edgeagent.vision.preprocessor import to_picture

FIND_SCORE = 0.05
"""Score from which a detection counts as found."""
SOUND_SCORE = 0.3
"""Score from which a detection must have a place and a size."""
JUDGED = 10
"""Such detections on all golden pictures from which the decoder is judged by them."""
FIND_IOU = 0.5
CLAIM_SHARE = 0.5
"""Share of the claimed accuracy that the share of what is found must reach; a sound decoder finds more."""


class GoldenBoxes:
    """Labelled objects of the golden pictures of one artefact.

    Args:
        bundle: with a golden set.
        artefact: of the bundle.

    Attributes:
        labelled: number of labelled objects; 0 without labels or without a claim for the artefact.
        least: number of them that must be found.

    Raises:
        DataError: a label file cannot be read.
    """

    def __init__(self, bundle: Bundle, artefact: Artefact) -> None:
        self._labels, claim = claimed_labels(bundle, artefact)
        self.labelled = sum(len(labels.classes) for labels in self._labels)
        self.least = int(np.ceil(self.labelled * claim * CLAIM_SHARE))

    def found(self, picture: int, detections: Detections, fit: Fit) -> int:
        """Return how many labelled objects of a picture are among the detections.

        Args:
            picture: its number.
            detections: in input pixels, from :data:`FIND_SCORE` on.
            fit: placement of the picture in the input.

        """
        found = to_picture(detections, fit)
        if not self._labels or not len(found):
            return 0
        labels = self._labels[picture]
        height, width = fit.source
        centre, half = labels.boxes[:, :2], labels.boxes[:, 2:] / 2
        size = np.array([width, height, width, height], np.float32)
        wanted = np.concatenate([centre - half, centre + half], axis=1) * size
        same = labels.classes[:, None] == found.classes[None, :]
        overlaps = intersection_over_union(wanted, found.boxes) >= FIND_IOU
        return int((same & overlaps).any(axis=1).sum())


class SoundBoxes:
    """Count of confident detections that lie in their picture and have a size."""

    def __init__(self) -> None:
        self._sound, self._total = 0, 0

    def add(self, detections: Detections, fit: Fit) -> None:
        """Add the detections of a picture, in input pixels.

        Args:
            detections: those from :data:`SOUND_SCORE` on are counted.
            fit: placement of the picture in the input.
        """
        found = detections.take(detections.scores >= SOUND_SCORE)
        _, inside = fit.to_source(found.boxes)
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        self._sound += int((inside & (sides >= 1).all(axis=1)).sum())
        self._total += len(found)

    def check(self) -> None:
        """Judge all pictures together.

        Raises:
            EngineError: most of :data:`JUDGED` or more detections lie outside their picture or have no size.
        """
        if self._total >= JUDGED and self._sound < self._total / 2:
            raise EngineError(
                f"only {self._sound} of {self._total} boxes on the golden pictures lie in them and have a "
                "size; the decoder of the manifest does not fit the model"
            )


def claimed_labels(bundle: Bundle, artefact: Artefact) -> tuple[list[Labels], float]:
    """Return the labels of the golden pictures and the claim for an artefact; empty and 0 without a claim.

    Raises:
        DataError: a label file cannot be read.
    """
    golden = bundle.manifest.golden
    accuracy = golden.accuracy if golden else None
    claim = accuracy.claims.get(artefact.file) if accuracy else None
    if golden is None or accuracy is None or claim is None:
        return [], 0.0
    names = [accuracy.labels.get(name) for name in golden.pictures]
    paths = [None if name is None else bundle.directory / name for name in names]
    unlogged = Counter[str]()  # what a reader leaves out or changes was told when the bundle was made
    return [read_labels(path, len(bundle.manifest.labels), unlogged) for path in paths], claim
