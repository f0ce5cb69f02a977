"""How far two models agree on the same pictures: boxes matched by overlap and class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeagent.vision.detections import Detections
from edgeagent.vision.nms import intersection_over_union

LEAST_IOU = 0.5
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Agreement:
    """Counts over some pictures; they can be added up.

    Attributes:
        pictures: that both looked at.
        matched: pairs of boxes.
        boxes: of both models together.
        score_difference: sum over the pairs of the first model's score less the second's.
    """

    pictures: int = 0
    matched: int = 0
    boxes: int = 0
    score_difference: float = 0.0

    @property
    def share(self) -> float | None:
        """Share of all boxes that have a partner, 0..1; None where neither model found anything."""
        return 2 * self.matched / self.boxes if self.boxes else None

    @property
    def mean_score_difference(self) -> float | None:
        """How much higher the first model's scores are, -1..1; None where no box has a partner."""
        return self.score_difference / self.matched if self.matched else None

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.pictures + other.pictures,
            self.matched + other.matched,
            self.boxes + other.boxes,
            self.score_difference + other.score_difference,
        )


def agreement(one: Detections, other: Detections, least_iou: float = LEAST_IOU) -> Agreement:
    """Return how far the detections on one picture agree; classes are those of one list of labels."""
    pairs = match(one, other, least_iou)
    difference = float((one.scores[pairs[:, 0]] - other.scores[pairs[:, 1]]).sum())
    return Agreement(1, len(pairs), len(one) + len(other), difference)


def match(one: Detections, other: Detections, least_iou: float = LEAST_IOU) -> npt.NDArray[np.intp]:
    """Return pairs of positions (n, 2) in ``one`` and ``other``, the best overlap first.

    A box has at most one partner, of its own class and with an intersection over union of ``least_iou`` or
    more.
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
    """Return detections with their classes in another list of labels; :data:`UNKNOWN` where it has none."""
    if tuple(labels) == tuple(wanted):
        return found
    places = {label: position for position, label in enumerate(wanted)}
    table = np.array([places.get(label, UNKNOWN) for label in labels], np.int32)
    return Detections(found.boxes, found.scores, table[found.classes])
