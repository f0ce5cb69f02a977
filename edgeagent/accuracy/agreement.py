"""Agreement of two models on the same pictures: boxes are matched by overlap and class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgeagent.vision.detections import Detections
from edgeagent.vision.nms import intersection_over_union

LEAST_IOU = 0.5
UNKNOWN = -1
"""Class of a label that is missing in the other list of labels; it matches no box."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Counts over a set of pictures; agreements can be added.

    Attributes:
        pictures: number of pictures that both models processed.
        matched: number of pairs of boxes.
        boxes: number of boxes of both models together.
        score_difference: sum over all pairs of the first model's score minus the second's.
    """

    pictures: int = 0
    matched: int = 0
    boxes: int = 0
    score_difference: float = 0.0

    @property
    def share(self) -> float | None:
        """Share of all boxes that are matched, 0..1; None where neither model has detections."""
        return 2 * self.matched / self.boxes if self.boxes else None

    @property
    def mean_score_difference(self) -> float | None:
        """Mean score of the first model minus that of the second, -1..1; None without a matched pair."""
        return self.score_difference / self.matched if self.matched else None

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.pictures + other.pictures,
            self.matched + other.matched,
            self.boxes + other.boxes,
            self.score_difference + other.score_difference,
        )


def agreement(one: Detections, other: Detections, least_iou: float = LEAST_IOU) -> Agreement:
    """Return the agreement of two results on one picture, with classes of one list of labels.

    The class of a picture counts as one box in each result; both are matched where the class is the same.
    Of class maps, pixels count like boxes.
    """
    if one.classification is not None and other.classification is not None:
        same = one.classification.class_index == other.classification.class_index
        lead = one.classification.score - other.classification.score if same else 0.0
        return Agreement(1, int(same), 2, lead)
    if one.class_map is not None and other.class_map is not None:
        mine, theirs = one.class_map.in_picture(), other.class_map.in_picture()
        return Agreement(1, int((mine == theirs).sum()), 2 * mine.size, 0.0)
    pairs = match(one, other, least_iou)
    difference = float((one.scores[pairs[:, 0]] - other.scores[pairs[:, 1]]).sum())
    return Agreement(1, len(pairs), len(one) + len(other), difference)


def match(one: Detections, other: Detections, least_iou: float = LEAST_IOU) -> npt.NDArray[np.intp]:
    """Return pairs of indices (n, 2) intp into ``one`` and ``other``, the largest overlap first.

    A box is matched at most once, to a box of the same class with an intersection over union of ``least_iou``
    or more.
    """
    overlap = intersection_over_union(one.boxes, other.boxes)
    same = (one.classes[:, None] == other.classes[None, :]) & (one.classes[:, None] != UNKNOWN)
    rows, columns = np.nonzero(same & (overlap >= least_iou))
    pairs, taken, given = [], set(), set()
    for position in np.argsort(-overlap[rows, columns], kind="stable"):
        row, column = int(rows[position]), int(columns[position])
        if row not in taken and column not in given:
            pairs.append((row, column))
            taken.add(row)
            given.add(column)
    return np.array(pairs, np.intp).reshape(-1, 2)


def in_labels_of(found: Detections, labels: Sequence[str], wanted: Sequence[str]) -> Detections:
    """Return detections with classes of another list of labels; :data:`UNKNOWN` where a label is missing."""
    if tuple(labels) == tuple(wanted):
        return found
    places = {label: position for position, label in enumerate(wanted)}
    table = np.array([places.get(label, UNKNOWN) for label in labels], np.int32)
    classification = found.classification
    if classification is not None:
        scores = np.zeros(len(wanted), np.float32)
        scores[table[table >= 0]] = classification.scores[table >= 0]
        classification = replace(classification, scores=scores, labels=tuple(wanted))
    pixels = found.class_map
    if pixels is not None:
        pixels = replace(pixels, cells=table[pixels.cells].astype(np.uint16), labels=tuple(wanted))
    return replace(
        found, classes=table[found.classes], labels=(), classification=classification, class_map=pixels
    )
