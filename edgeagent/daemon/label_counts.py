"""Counting of the detections of a frame by label, for a bounded set of labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeagent.settings.sections.objects import LONGEST_LABEL, MOST_LABELS


@dataclass(frozen=True)
class LabelCounts:
    """Detections of one frame.

    Attributes:
        counts: number by counted label, 0 included.
        left_out: number of detections whose label is beyond the bounds.
    """

    counts: dict[str, int]
    left_out: int = 0


class LabelCounter:
    """Counts the detections of one camera.

    Without configured labels, a label is counted from its first detection on. At most
    :data:`MOST_LABELS` labels are counted, and none of more than :data:`LONGEST_LABEL` characters.

    Args:
        chosen: configured labels; None for those that are seen.
    """

    def __init__(self, chosen: tuple[str, ...] | None) -> None:
        self._chosen = chosen
        self._labels: Sequence[str] | None = None
        self._counted: dict[str, int] = {}  # class index by label

    def count(self, labels: Sequence[str], classes: NDArray[np.int32]) -> LabelCounts:
        """Return the counts of a frame.

        Args:
            labels: names of the model's classes.
            classes: (N,) class index of each detection.
        """
        if labels is not self._labels:
            self._change_model(labels)
        numbers = np.bincount(classes, minlength=len(labels))
        left_out = 0
        if self._chosen is None:
            for index in np.flatnonzero(numbers).tolist():
                left_out += 0 if self._admit(labels[index], index) else int(numbers[index])
        return LabelCounts({label: int(numbers[index]) for label, index in self._counted.items()}, left_out)

    def _change_model(self, labels: Sequence[str]) -> None:
        known = {label: index for index, label in enumerate(labels)}
        wanted = self._counted if self._chosen is None else self._chosen
        self._counted = {label: known[label] for label in wanted if label in known}
        self._labels = labels

    def _admit(self, label: str, index: int) -> bool:
        """Count a label that was seen, if there is room for it."""
        if label not in self._counted and len(self._counted) < MOST_LABELS and len(label) <= LONGEST_LABEL:
            self._counted[label] = index
        return label in self._counted
