"""COCO mean average precision, computed by pycocotools, the only evaluator of the project."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeagent.errors import EdgeagentError
from edgeagent.vision.detections import Detections

EncodedMask = dict[str, Any]
"""Mask as pycocotools stores it: ``size`` (height, width) and ``counts``, the run lengths of its columns."""


class NoAccuracyError(EdgeagentError):
    """No average precision can be computed: pycocotools is not installed, or there is no labelled object."""


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """Labelled objects of one picture.

    Attributes:
        size: (width, height) of the picture in pixels.
        boxes: (n, 4) float32, x1, y1, x2, y2 in pixels.
        classes: (n,) int32.
        crowds: regions where detections count neither as right nor as wrong (``iscrowd`` of COCO); None
            without any.
        masks: mask of each object; empty where only boxes are compared.
    """

    size: tuple[int, int]
    boxes: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int32]
    crowds: GroundTruth | None = None
    masks: Sequence[EncodedMask] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """Labelled and detected objects, picture by picture.

    Attributes:
        truths: labelled objects of each picture.
        detections: detected objects of each picture.
        labels: label of each class.
        masks: mask of each detected object of each picture, to compare objects by; None compares boxes.
    """

    truths: Sequence[GroundTruth]
    detections: Sequence[Detections]
    labels: Sequence[str]
    masks: Sequence[Sequence[EncodedMask]] | None = None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Mean average precision, 0..1.

    Attributes:
        map50_95: mean over IoU thresholds .50, .55, ... .95 and classes.
        map50: mean over classes at IoU .50.
        images: number of pictures.
        per_class: mAP50-95 of each class with a labelled object; the others are absent.
    """

    map50_95: float
    map50: float
    images: int
    per_class: dict[str, float]


def mean_average_precision(
    truths: Sequence[GroundTruth], found: Sequence[Detections], labels: Sequence[str]
) -> Accuracy:
    """Return the accuracy of boxes against the ground truth, both given picture by picture.

    Raises:
        NoAccuracyError: pycocotools is not installed, or there is no labelled object.
    """
    return average_precision(Found(truths, found, labels))


def average_precision(given: Found) -> Accuracy:
    """Return the accuracy of boxes or masks; errors as :func:`mean_average_precision`."""
    evaluation, labels = coco_evaluation(given), given.labels
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"][:, :, :, 0, 2]  # IoU, recall, class; all areas, 100 detections
    per_class = {
        label: round(float(precision[:, :, index].mean()), 4)
        for index, label in enumerate(labels)
        if (precision[:, :, index] > -1).any()
    }
    return Accuracy(float(evaluation.stats[0]), float(evaluation.stats[1]), len(given.truths), per_class)


def coco_evaluation(given: Found) -> Any:
    """Return pycocotools' ``COCOeval`` of all pictures, after ``evaluate``: matched and not yet accumulated.

    Raises:
        NoAccuracyError: pycocotools is not installed, or there is no labelled object.
    """
    truths, found, labels = given.truths, given.detections, given.labels
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise NoAccuracyError(
            f"evaluation needs pycocotools ({error}); pip install 'edgeagent[eval]'"
        ) from error
    if not any(len(truth.classes) for truth in truths):
        raise NoAccuracyError("the labels hold no object at all, so there is no average precision")
    results = [row for image, detections in enumerate(found) for row in detections.to_coco(image)]
    if given.masks is not None:
        masks = [mask for of_picture in given.masks for mask in of_picture]
        for row, mask in zip(results, masks, strict=True):
            del row["bbox"]  # by which pycocotools takes a row for a box
            row["segmentation"] = mask
    dataset = COCO()
    dataset.dataset = _dataset(truths, labels)
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        dataset.createIndex()
        loaded = dataset.loadRes(results) if results else COCO()
        evaluation = COCOeval(dataset, loaded, "bbox" if given.masks is None else "segm")
        evaluation.evaluate()
    return evaluation


def _dataset(truths: Sequence[GroundTruth], labels: Sequence[str]) -> dict[str, Any]:
    annotations: list[dict[str, Any]] = []
    for image, truth in enumerate(truths):
        for part, crowd in ((truth, 0), (truth.crowds, 1)):
            masks: Sequence[EncodedMask | None] = part.masks if part else ()
            masks = masks or [None] * (len(part.classes) if part else 0)
            for box, index, mask in zip(part.boxes, part.classes, masks, strict=True) if part else ():
                x, y, width, height = _position_and_size(box)
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": image,
                        "category_id": int(index),
                        "bbox": [x, y, width, height],
                        "area": width * height,
                        "iscrowd": crowd,
                        **({} if mask is None else {"segmentation": mask}),
                    }
                )
    images = [{"id": i, "width": truth.size[0], "height": truth.size[1]} for i, truth in enumerate(truths)]
    categories = [{"id": index, "name": label} for index, label in enumerate(labels)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _position_and_size(box: npt.NDArray[np.float32]) -> list[float]:
    x1, y1, x2, y2 = (float(value) for value in box)
    return [x1, y1, x2 - x1, y2 - y1]
