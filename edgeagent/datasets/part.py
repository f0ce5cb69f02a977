"""Part of a labelled data set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeagent.datasets.labels import LabelledData, Labels


@dataclass(frozen=True)
class LabelledPart:
    """Evenly spread pictures of a data set, as labelled data.

    Attributes:
        whole: the data set.
        positions: positions of the pictures, in order.
    """

    whole: LabelledData
    positions: Sequence[int]

    @classmethod
    def spread(cls, whole: LabelledData, count: int) -> LabelledPart:
        """Return ``count`` pictures at even distances, of a data set with at least as many."""
        return cls(whole, tuple(position * len(whole) // count for position in range(count)))

    @property
    def pictures(self) -> tuple[Path, ...]:
        """Paths of the pictures."""
        return tuple(self.whole.pictures[position] for position in self.positions)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.positions)

    def read(self, labels: Sequence[str]) -> list[Labels]:
        """Return the labels; see :meth:`edgeagent.datasets.labels.LabelledData.read`."""
        found = self.whole.read(labels)
        return [found[position] for position in self.positions]

    def data_hash(self) -> str:
        """Return the SHA-256 (hexadecimal) over the hash of the whole and the positions."""
        return hashlib.sha256(f"{self.whole.data_hash()} {list(self.positions)}".encode()).hexdigest()
