"""Classes of a data set, matched to the labels of a model by name.

Data sets and models number the same classes differently: COCO has 80 classes with the ids 1 to 90, exports of
annotation tools are in alphabetical order. Numbers of a file that names its classes are therefore never used
for a model without a look at the names. Case, blanks, ``-`` and ``_`` do not matter, and the names of the
80 classes in COCO 2017 are the same as those of Darknet's ``coco.names`` and Pascal VOC (:data:`ALIASES`).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgeagent.datasets.labels import Labels
from edgeagent.errors import DataError
from edgeagent.files.naming import escape_controls, printable

logger = logging.getLogger(__name__)

SHOWN = 8
"""Most names in a message."""
ALIASES = {"aeroplane": "airplane", "motorbike": "motorcycle", "sofa": "couch", "tvmonitor": "tv"}
"""Names of Darknet and Pascal VOC, and those of COCO 2017 for the same classes, without blanks."""


@dataclass(frozen=True)
class ClassNames:
    """Names of the classes of a data set.

    Attributes:
        names: by class index of the data set.
        source: file that states them, for messages.
    """

    names: tuple[str, ...]
    source: Path

    def renumber(self, objects: Sequence[Labels], labels: Sequence[str]) -> list[Labels]:
        """Return labels with the class indices of a model; objects of classes it does not have are left out.

        What is renumbered and what is left out is logged, one line each.

        Args:
            objects: labels of each picture, with class indices of the data set.
            labels: labels of the model, by class index.

        Raises:
            DataError: no class with objects has the name of a label.
        """
        target = match_names(self.names, labels)
        counts: Counter[int] = Counter()
        for one in objects:
            counts.update(one.classes.tolist() if one.mask is None else one.mask.classes)
        used = sorted(counts) or range(len(self.names))
        known = [index for index in used if target[index] >= 0]
        if not known:
            raise DataError(
                f"{printable(self.source)}: none of its classes ({_listed(self.names[i] for i in used)}) "
                f"is a label of the model ({_listed(labels)}); write the names of the model there"
            )
        self._log(labels, target, known, counts)
        table = np.array(target, np.int32)
        return [_renumbered(one, table) for one in objects]

    def _log(
        self, labels: Sequence[str], target: Sequence[int], known: Sequence[int], counts: Counter[int]
    ) -> None:
        source = printable(self.source)
        moved = [
            _move(self.names[index], index, labels[target[index]], target[index])
            for index in known
            if target[index] != index or _letters(self.names[index]) != _letters(labels[target[index]])
        ]
        if moved:
            logger.warning(
                "%s: classes are matched to the labels of the model by name: %s", source, _listed(moved)
            )
        strange = [index for index in counts if target[index] < 0]
        if strange:
            absent = [label for index, label in enumerate(labels) if index not in target]
            logger.warning(
                "%s: %d objects are left out, as the model has no label of their name: %s; labels of the "
                "model without a class of their name: %s",
                source,
                sum(counts[index] for index in strange),
                _listed(self.names[index] for index in strange),
                _listed(absent) or "none",
            )


def match_names(names: Sequence[str], labels: Sequence[str]) -> tuple[int, ...]:
    """Return for each class of a data set the index of the label of the same name; -1 without one.

    Args:
        names: of the classes of the data set.
        labels: unique labels of the model.
    """
    exact = {label: index for index, label in enumerate(labels)}
    same = Counter(map(_plain, labels))
    alike = {_plain(label): index for label, index in exact.items() if same[_plain(label)] == 1}
    return tuple(exact.get(name, alike.get(_plain(name), -1)) for name in names)


def _letters(name: str) -> str:
    return "".join(name.casefold().replace("_", " ").replace("-", " ").split())


def _plain(name: str) -> str:
    letters = _letters(name)
    return ALIASES.get(letters, letters)


def _move(name: str, index: int, label: str, position: int) -> str:
    other = "" if _letters(name) == _letters(label) else f"{label} "
    return f"{name} {index} -> {other}{position}"


def _renumbered(labels: Labels, target: np.ndarray[tuple[int], np.dtype[np.int32]]) -> Labels:
    if labels.mask is not None:
        return replace(labels, mask=replace(labels.mask, moved=tuple(target.tolist())))
    classes = target[labels.classes]
    kept = classes >= 0
    crowds = None if labels.crowds is None else _renumbered(labels.crowds, target)
    outlines = tuple(one for one, keep in zip(labels.outlines, kept.tolist(), strict=False) if keep)
    return Labels(classes[kept], labels.boxes[kept], crowds, outlines=outlines)


def _listed(names: Iterable[str]) -> str:
    shown = [escape_controls(name) for name in names]
    more = len(shown) - SHOWN
    return ", ".join(shown[:SHOWN]) + (f" and {more} more" if more > 0 else "")
