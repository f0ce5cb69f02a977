"""Class of a whole picture, with the score of every class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Classification:
    """Result of a classifier for one picture.

    Attributes:
        scores: (classes,) float32, 0..1; they add up to 1.
        labels: names of the classes; empty on the way from the decoder to the result.
    """

    scores: npt.NDArray[np.float32]
    labels: tuple[str, ...] = ()

    @property
    def class_index(self) -> int:
        """Index of the class with the highest score."""
        return int(self.scores.argmax())

    @property
    def score(self) -> float:
        """Highest score, 0..1."""
        return float(self.scores.max())

    @property
    def label(self) -> str:
        """Name of the class with the highest score."""
        return self._name(self.class_index)

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """Return the classes of highest score with their scores, the highest first."""
        order = np.argsort(-self.scores, kind="stable")[:count]
        return [(self._name(int(index)), float(self.scores[index])) for index in order]

    def _name(self, index: int) -> str:
        return self.labels[index] if index < len(self.labels) else str(index)
