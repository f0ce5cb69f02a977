"""What a model finds on the golden pictures of its bundle, against the labels there; one class a task.

The reference outputs show that an engine computes what was trained; only what is decoded from them shows that
the decoder of the manifest reads them as the model means them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from edgeagent.bundle.manifest import Artefact
from edgeagent.bundle.reading import Bundle
from edgeagent.bundle.task import Task
from edgeagent.datasets.labelled_pixels import labelled_pixels
from edgeagent.detection.golden_boxes import CLAIM_SHARE, GoldenBoxes, SoundBoxes, claimed_labels
from edgeagent.detection.golden_masks import found_masks
from edgeagent.errors import EngineError
from edgeagent.imaging.letterbox import Fit
from edgeagent.vision.class_map import UNLABELLED
from edgeagent.vision.detections import Detections
from edgeagent.vision.preprocessor import to_picture

HALF = 0.5


class GoldenFindings(Protocol):
    """Findings on the golden pictures of one artefact, over any number of runs.

    Attributes:
        labelled: what is labelled; 0 without labels or without a claim for the artefact.
        least: how much of that must be found.
        unit: what is counted, for people.
    """

    labelled: int
    least: int
    unit: str

    def begin(self) -> None:
        """Begin a run."""

    def add(self, picture: int, found: Detections, fit: Fit) -> int:
        """Add what was decoded for a picture, and return how much of what is labelled is among it.

        Args:
            picture: its number.
            found: decoded result, in input pixels.
            fit: placement of the picture in the input.
        """

    def check(self) -> None:
        """Judge all pictures together, without labels.

        Raises:
            EngineError: what was decoded cannot be what the model means.
        """


class BoxFindings:
    """Boxes of a detector; see :class:`GoldenFindings`."""

    unit = "labelled objects"

    def __init__(self, bundle: Bundle, artefact: Artefact) -> None:
        self._boxes, self._sound = GoldenBoxes(bundle, artefact), SoundBoxes()
        self.labelled, self.least = self._boxes.labelled, self._boxes.least

    def begin(self) -> None:
        """Begin a run."""
        self._sound = SoundBoxes()

    def add(self, picture: int, found: Detections, fit: Fit) -> int:
        """Add the boxes of a picture."""
        self._sound.add(found, fit)
        return self._boxes.found(picture, found, fit)

    def check(self) -> None:
        """Judge the places and sizes of the boxes."""
        self._sound.check()


class InstanceFindings(BoxFindings):
    """Masks of a model for instances; see :class:`GoldenFindings`.

    An object is found where the mask of a detection of its class overlaps its outline by
    :data:`edgeagent.detection.golden_boxes.FIND_IOU` or more.
    """

    def __init__(self, bundle: Bundle, artefact: Artefact) -> None:
        super().__init__(bundle, artefact)
        self._labels, _ = claimed_labels(bundle, artefact)

    def add(self, picture: int, found: Detections, fit: Fit) -> int:
        """Add the objects of a picture.

        Raises:
            EngineError: the decoder gives no masks.
        """
        super().add(picture, found, fit)
        if len(found.masks) != len(found):
            raise EngineError("the decoder of the manifest gives no masks of the objects")
        placed = to_picture(found, fit)
        return found_masks(self._labels[picture], placed, fit.source) if self._labels else 0


class ClassFindings:
    """Classes of a classifier; see :class:`GoldenFindings`."""

    unit = "labelled pictures"

    def __init__(self, bundle: Bundle, artefact: Artefact) -> None:
        labels, claim = claimed_labels(bundle, artefact)
        self._classes = [int(one.classes[0]) if len(one.classes) else None for one in labels]
        self.labelled = sum(one is not None for one in self._classes)
        self.least = int(np.ceil(self.labelled * claim * CLAIM_SHARE))

    def begin(self) -> None:
        """Do nothing: nothing is kept of a run."""

    def add(self, picture: int, found: Detections, fit: Fit) -> int:
        """Add the class of a picture.

        Raises:
            EngineError: the decoder gives no class of a picture.
        """
        if found.classification is None:
            raise EngineError("the decoder of the manifest gives no class of a picture")
        return int(bool(self._classes) and found.classification.class_index == self._classes[picture])

    def check(self) -> None:
        """Do nothing: every score was checked when it was decoded."""


class PixelFindings:
    """Classes of pixels of a segmenter; see :class:`GoldenFindings`.

    A picture is found where half of its labelled pixels or more have the right class.
    """

    unit = "labelled pictures"

    def __init__(self, bundle: Bundle, artefact: Artefact) -> None:
        self._labels, claim = claimed_labels(bundle, artefact)
        self._names = bundle.manifest.labels
        self.labelled = len(self._labels)
        self.least = int(np.ceil(self.labelled * claim * CLAIM_SHARE))

    def begin(self) -> None:
        """Do nothing: nothing is kept of a run."""

    def add(self, picture: int, found: Detections, fit: Fit) -> int:
        """Add the classes of the pixels of a picture.

        Raises:
            EngineError: the decoder gives none.
        """
        if found.class_map is None:
            raise EngineError("the decoder of the manifest gives no classes of pixels")
        if not self._labels:
            return 0
        truth = labelled_pixels(self._labels[picture], self._names, fit.source)
        known = truth != UNLABELLED
        right = (found.class_map.placed(fit).in_picture() == truth) & known
        return int(right.sum() >= HALF * known.sum())

    def check(self) -> None:
        """Do nothing: the highest score of a cell is always a class."""


FINDINGS: Mapping[Task, Callable[[Bundle, Artefact], GoldenFindings]] = {
    "detection": BoxFindings,
    "classification": ClassFindings,
    "segmentation": PixelFindings,
    "instances": InstanceFindings,
}


def golden_findings(bundle: Bundle, artefact: Artefact) -> GoldenFindings:
    """Return the findings of the task of a bundle.

    Raises:
        DataError: a label file cannot be read.
    """
    return FINDINGS[bundle.manifest.task](bundle, artefact)
