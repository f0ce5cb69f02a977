"""Evaluation of a model on labelled pictures, through its engine; one class a task.

An evaluation keeps what it has found on each picture, so that two models can be compared picture by picture
(:mod:`edgeagent.accuracy.map_interval`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from edgeagent.accuracy.coco_map import Accuracy, EncodedMask, Found, GroundTruth, mean_average_precision
from edgeagent.accuracy.instance_accuracy import (
    InstanceAccuracy,
    encode_mask,
    encode_outlines,
    instance_accuracy,
)
from edgeagent.accuracy.map_interval import (
    AccuracyDifference,
    MatchedDetections,
    Numbers,
    draws,
    map_difference,
)
from edgeagent.accuracy.pixel_accuracy import Counts, PixelAccuracy, count_pixels, overlaps, pixel_accuracy
from edgeagent.accuracy.top_accuracy import TopAccuracy, rank_of_class, right_at_first, top_accuracy
from edgeagent.bundle.task import MEASURES, Measure, Task
from edgeagent.datasets.labelled_pixels import labelled_pixels
from edgeagent.datasets.labels import LabelledData, Labels
from edgeagent.datasets.task_labels import check_labels
from edgeagent.detection.detector import Detector
from edgeagent.errors import DataError, EngineError
from edgeagent.imaging.picture import read_picture
from edgeagent.vision.detections import Detections

SCORE_THRESHOLD = 0.01
IOU_THRESHOLD = 0.65
"""Thresholds of the published YOLOX mAP; the detector is loaded with :data:`IOU_THRESHOLD`."""

TaskAccuracy = Accuracy | TopAccuracy | PixelAccuracy | InstanceAccuracy
"""Accuracy as the evaluator of a task gives it."""
Report = Callable[[int], None]


class Evaluation(Protocol):
    """What a model gives on labelled pictures.

    Attributes:
        accuracy: accuracy of the model.
        measure: measure by which models are chosen.
    """

    @property
    def accuracy(self) -> TaskAccuracy:
        """Accuracy of the model."""

    @property
    def measure(self) -> Measure:
        """Measure by which models are chosen."""

    def resampled(self) -> Numbers:
        """Return the measure on each draw of the bootstrap; draws depend on the number of pictures only."""


class DetectionEvaluation:
    """Labelled and detected objects of all pictures; see :class:`Evaluation`."""

    measure = MEASURES["detection"]

    def __init__(self, found: Found) -> None:
        self._found = found
        self.accuracy: TaskAccuracy = mean_average_precision(found.truths, found.detections, found.labels)

    def resampled(self) -> Numbers:
        """Return the mAP50-95 of each draw."""
        return MatchedDetections(self._found).resampled()


class InstanceEvaluation:
    """Labelled and detected objects of all pictures with their masks; see :class:`Evaluation`."""

    measure = MEASURES["instances"]

    def __init__(self, found: Found) -> None:
        self._found = found
        self.accuracy: TaskAccuracy = instance_accuracy(found)

    def resampled(self) -> Numbers:
        """Return the mAP50-95 of the masks of each draw."""
        return MatchedDetections(self._found).resampled()


class ClassEvaluation:
    """Rank of the class of each picture; see :class:`Evaluation`.

    Args:
        ranks: classes of a higher score than the right one, by picture.
        classes: class of each picture.
        labels: names of all classes.
    """

    measure = MEASURES["classification"]

    def __init__(self, ranks: Sequence[float], classes: Sequence[int], labels: Sequence[str]) -> None:
        self._right = right_at_first(ranks)
        self.accuracy: TaskAccuracy = top_accuracy(ranks, classes, labels)

    def resampled(self) -> Numbers:
        """Return the top-1 of each draw."""
        count = len(self._right)
        return np.array([float(draw @ self._right) / count for draw in draws(count)])


class PixelEvaluation:
    """Right, labelled and found pixels of each picture, by class; see :class:`Evaluation`.

    Args:
        counts: pixels of each picture, by class.
        labels: names of all classes.
    """

    measure = MEASURES["segmentation"]

    def __init__(self, counts: Sequence[Counts], labels: Sequence[str]) -> None:
        self._counts = np.stack(counts)
        self.accuracy: TaskAccuracy = pixel_accuracy(counts, labels)

    def resampled(self) -> Numbers:
        """Return the mean intersection over union of each draw."""
        sums = (np.tensordot(draw, self._counts, axes=1) for draw in draws(len(self._counts)))
        return np.array([float(np.nanmean(overlaps(total))) for total in sums])


def evaluate_model(detector: Detector, data: LabelledData, report: Report = lambda done: None) -> Evaluation:
    """Evaluate a model of any task on all pictures.

    Args:
        detector: loaded with :data:`IOU_THRESHOLD`.
        data: pictures and labels.
        report: called with the number of processed pictures.

    Raises:
        NoAccuracyError: pycocotools is not installed, or there is no labelled object.
        DataError: a picture or a label file cannot be used, or labels do not fit the task.
        EngineError: the engine fails.
    """
    return EVALUATORS[detector.description.task](detector, data, report)


def evaluate_detector(detector: Detector, data: LabelledData, report: Report = lambda done: None) -> Accuracy:
    """Return the mAP of a detector; arguments and errors as :func:`evaluate_model`."""
    found = detect_all(detector, data, report)
    return mean_average_precision(found.truths, found.detections, found.labels)


def measured_value(evaluation: Evaluation) -> float:
    """Return the measure by which models are chosen, 0..1."""
    return float(getattr(evaluation.accuracy, evaluation.measure.field))


def compare_evaluations(own: Evaluation, other: Evaluation) -> AccuracyDifference:
    """Return how much better one model is than the other on the same pictures, with its interval.

    Raises:
        ValueError: the models were not run on the same number of pictures.
    """
    if own.accuracy.images != other.accuracy.images:
        raise ValueError(f"{own.accuracy.images} and {other.accuracy.images} pictures cannot be compared")
    interval = map_difference(own.resampled(), other.resampled())
    return AccuracyDifference(measured_value(own) - measured_value(other), *interval)


def accuracy_values(evaluation: Evaluation) -> dict[str, Any]:
    """Return both measures of an evaluation by their fields in a manifest, 0..1, to four digits."""
    accuracy, measure = evaluation.accuracy, evaluation.measure
    return {name: round(getattr(accuracy, name), 4) for name in (measure.field, measure.second)}


def detect_all(detector: Detector, data: LabelledData, report: Report = lambda done: None) -> Found:
    """Return the labelled and the detected objects of all pictures; arguments as :func:`evaluate_model`.

    Raises:
        DataError: a picture or a label file cannot be used.
        EngineError: the engine fails.
    """
    labels = detector.description.labels
    objects = data.read(labels)
    check_labels("detection", data.pictures, objects)
    buffers = detector.allocate()
    truths, found = [], []
    for done, (picture, own) in enumerate(zip(data.pictures, objects, strict=True), 1):
        image = read_picture(picture)
        height, width = image.shape[:2]
        truths.append(ground_truth(own, width, height))
        found.append(detector.detect(image, buffers, SCORE_THRESHOLD))
        report(done)
    return Found(truths, found, labels)


def _evaluate_detections(detector: Detector, data: LabelledData, report: Report) -> Evaluation:
    return DetectionEvaluation(detect_all(detector, data, report))


def _evaluate_instances(detector: Detector, data: LabelledData, report: Report) -> Evaluation:
    labels = detector.description.labels
    objects = data.read(labels)
    check_labels("instances", data.pictures, objects)
    buffers = detector.allocate()
    truths, found, masks = [], list[Detections](), list[list[EncodedMask]]()
    for done, (picture, own) in enumerate(zip(data.pictures, objects, strict=True), 1):
        image = read_picture(picture)
        height, width = image.shape[:2]
        outlines = encode_outlines(own.outlines, (width, height))
        truths.append(replace(ground_truth(own, width, height), masks=outlines))
        result = detector.detect(image, buffers, SCORE_THRESHOLD)
        if len(result.masks) != len(result):
            raise EngineError("the decoder gives no masks of the objects")
        masks.append([encode_mask(mask) for mask in result.masks])
        found.append(replace(result, masks=()))  # their prototypes would fill the memory
        report(done)
    return InstanceEvaluation(Found(truths, found, labels, masks))


def _evaluate_classes(detector: Detector, data: LabelledData, report: Report) -> Evaluation:
    labels = detector.description.labels
    known = data.read(labels)
    check_labels("classification", data.pictures, known)
    if not known:
        raise DataError("there is no labelled picture")
    buffers = detector.allocate()
    ranks, classes = [], [int(own.classes[0]) for own in known]
    for done, (picture, index) in enumerate(zip(data.pictures, classes, strict=True), 1):
        found = detector.detect(read_picture(picture), buffers, SCORE_THRESHOLD).classification
        if found is None:
            raise EngineError("the decoder gives no class of a picture")
        ranks.append(rank_of_class(found.scores, index))
        report(done)
    return ClassEvaluation(ranks, classes, labels)


def _evaluate_pixels(detector: Detector, data: LabelledData, report: Report) -> Evaluation:
    labels = detector.description.labels
    known = data.read(labels)
    check_labels("segmentation", data.pictures, known)
    buffers, counts = detector.allocate(), list[Counts]()
    for done, (picture, own) in enumerate(zip(data.pictures, known, strict=True), 1):
        image = read_picture(picture)
        found = detector.detect(image, buffers, SCORE_THRESHOLD).class_map
        if found is None:
            raise EngineError("the decoder gives no classes of pixels")
        truth = labelled_pixels(own, labels, image.shape[:2])
        counts.append(count_pixels(truth, found.in_picture(), len(labels)))
        report(done)
    if not sum(int(one[1].sum()) for one in counts):
        raise DataError("no pixel is labelled: give a label named background, or polygons of the labels")
    return PixelEvaluation(counts, labels)


EVALUATORS: Mapping[Task, Callable[[Detector, LabelledData, Report], Evaluation]] = {
    "detection": _evaluate_detections,
    "classification": _evaluate_classes,
    "segmentation": _evaluate_pixels,
    "instances": _evaluate_instances,
}


def ground_truth(labels: Labels, width: int, height: int) -> GroundTruth:
    """Return the labelled objects of a picture of a size in pixels."""
    centre, size = labels.boxes[:, :2], labels.boxes[:, 2:]
    shares = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
    pixels = shares * np.array([width, height, width, height], np.float32)
    crowds = None if labels.crowds is None else ground_truth(labels.crowds, width, height)
    return GroundTruth((width, height), pixels, labels.classes, crowds)
