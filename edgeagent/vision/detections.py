"""Detections of one picture, as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeagent.errors import DataError
from edgeagent.vision.class_map import ClassMap
from edgeagent.vision.classification import Classification
from edgeagent.vision.masks import Mask

if TYPE_CHECKING:
    import supervision

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Detection:
    """One detected object.

    Attributes:
        label: name of its class.
        score: confidence, 0..1.
        box: ``x1, y1, x2, y2`` in pixels of the picture.
        class_index: index of the class among the labels of the model.
        mask: pixels of the object, of a model for instances; else None.
    """

    label: str
    score: float
    box: tuple[float, float, float, float]
    class_index: int
    mask: Mask | None = None


@dataclass(frozen=True, slots=True)
class Detections:
    """N detections; iterating gives each as a :class:`Detection`.

    Attributes:
        boxes: (N, 4) float32, ``x1, y1, x2, y2`` in pixels of the frame, or of the model input where stated.
        scores: (N,) float32 in 0..1.
        classes: (N,) int32, index into ``labels``.
        labels: names of all classes of the model; empty on the way from the decoder to the result, where the
            bundle knows them.
        classification: class of the whole picture, of a classifier, which finds no boxes; else None.
        class_map: class of each pixel, of a segmenter, which finds no boxes; else None.
        masks: pixels of each object, of a model for instances; else empty.
        coefficients: (N, K) float32, of the masks, on the way from the heads to the end of the decoder; else
            None.
    """

    boxes: FloatArray
    scores: FloatArray
    classes: IntArray
    labels: tuple[str, ...] = ()
    classification: Classification | None = None
    class_map: ClassMap | None = None
    masks: tuple[Mask, ...] = ()
    coefficients: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[Detection]:
        masks = self.masks or (None,) * len(self)
        for box, score, index, mask in zip(
            self.boxes.tolist(), self.scores.tolist(), self.classes.tolist(), masks, strict=True
        ):
            label = self.labels[index] if 0 <= index < len(self.labels) else str(index)
            yield Detection(label, score, tuple(box), index, mask)

    @classmethod
    def empty(cls, labels: tuple[str, ...] = ()) -> Detections:
        """No detections."""
        return cls(
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.float32),
            np.zeros(0, np.int32),
            labels,
        )

    @classmethod
    def of_picture(cls, classification: Classification) -> Detections:
        """Return the result of a classifier: the class of the picture, and no boxes."""
        return replace(cls.empty(classification.labels), classification=classification)

    @classmethod
    def of_pixels(cls, class_map: ClassMap) -> Detections:
        """Return the result of a segmenter: the class of each pixel, and no boxes."""
        return replace(cls.empty(class_map.labels), class_map=class_map)

    @classmethod
    def join(cls, parts: Sequence[Detections]) -> Detections:
        """Return the detections of all parts, one after the other.

        The labels are those of the first, and so are the classes of picture and pixels, as the first part is
        the whole. Masks and coefficients stay where all objects have some.
        """
        if not parts:
            return cls.empty()
        boxes = np.concatenate([part.boxes for part in parts])
        masks = tuple(mask for part in parts for mask in part.masks)
        given = [part.coefficients for part in parts if part.coefficients is not None and len(part)]
        return cls(
            boxes,
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.classes for part in parts]),
            parts[0].labels,
            parts[0].classification,
            parts[0].class_map,
            masks if len(masks) == len(boxes) else (),
            np.concatenate(given) if given and sum(map(len, given)) == len(boxes) else None,
        )

    def take(self, index: npt.NDArray[np.intp] | npt.NDArray[np.bool_] | slice) -> Detections:
        """Return the detections that ``index`` (positions or mask) selects."""
        masks = tuple(self.masks[place] for place in np.arange(len(self))[index]) if self.masks else ()
        return replace(
            self,
            boxes=self.boxes[index],
            scores=self.scores[index],
            classes=self.classes[index],
            masks=masks,
            coefficients=None if self.coefficients is None else self.coefficients[index],
        )

    def named(self, labels: Sequence[str]) -> Detections:
        """Return the same detections with the names of their classes."""
        named = self.classification and replace(self.classification, labels=tuple(labels))
        pixels = self.class_map and replace(self.class_map, labels=tuple(labels))
        return replace(self, labels=tuple(labels), classification=named, class_map=pixels)

    def to_supervision(self) -> supervision.Detections:
        """Return the detections as ``supervision.Detections``; the names are in ``data["class_name"]``.

        The masks of a model for instances are in ``mask``: (N, height, width) bool.

        Raises:
            ImportError: the package ``supervision`` is not installed.
        """
        import supervision

        names = np.array([detection.label for detection in self], dtype=str)
        return supervision.Detections(
            xyxy=self.boxes.copy(),
            mask=np.stack([mask.in_picture() for mask in self.masks]) if self.masks else None,
            confidence=self.scores.copy(),
            class_id=self.classes.astype(int),
            data={"class_name": names},
        )

    @classmethod
    def from_supervision(cls, found: supervision.Detections, labels: Sequence[str] = ()) -> Detections:
        """Return ``supervision.Detections`` as detections without masks; a missing confidence is 1.

        Args:
            found: with ``class_id``.
            labels: names of all classes.

        Raises:
            DataError: there is no class.
        """
        count = len(found)
        if found.class_id is None and count:
            raise DataError("supervision.Detections without class_id: set it before the conversion")
        scores = np.ones(count) if found.confidence is None else found.confidence
        classes = np.zeros(count) if found.class_id is None else found.class_id
        return cls(
            np.asarray(found.xyxy, np.float32).reshape(-1, 4),
            np.asarray(scores, np.float32),
            np.asarray(classes, np.int32),
            tuple(labels),
        )

    def to_coco(self, image_id: int, categories: Mapping[int, int] | None = None) -> list[dict[str, Any]]:
        """Return the detections as COCO results (https://cocodataset.org/#format-results).

        Args:
            image_id: of the picture in the data set.
            categories: id of the COCO category for each class index; None takes the class index itself.
        """

        def position_and_size(box: tuple[float, float, float, float]) -> list[float]:
            return [box[0], box[1], box[2] - box[0], box[3] - box[1]]

        return [
            {
                "image_id": image_id,
                "category_id": found.class_index if categories is None else categories[found.class_index],
                "bbox": position_and_size(found.box),
                "score": found.score,
            }
            for found in self
        ]
