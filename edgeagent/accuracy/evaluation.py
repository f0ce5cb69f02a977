"""Evaluation of a detector on labelled pictures, through its engine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeagent.accuracy.coco_map import Accuracy, Found, GroundTruth, mean_average_precision
from edgeagent.datasets.labels import LabelledData, Labels
from edgeagent.detection.detector import Detector
from edgeagent.imaging.picture import read_picture

SCORE_THRESHOLD = 0.01
IOU_THRESHOLD = 0.65
"""Thresholds of the published YOLOX mAP; the detector is loaded with :data:`IOU_THRESHOLD`."""


def evaluate_detector(
    detector: Detector, data: LabelledData, report: Callable[[int], None] = lambda done: None
) -> Accuracy:
    """Return the accuracy of a detector on all pictures; arguments and errors as :func:`detect_all`.

    Raises:
        NoAccuracyError: pycocotools is not installed, or there is no labelled object.
    """
    found = detect_all(detector, data, report)
    return mean_average_precision(found.truths, found.detections, found.labels)


def detect_all(
    detector: Detector, data: LabelledData, report: Callable[[int], None] = lambda done: None
) -> Found:
    """Return the labelled and the detected objects of all pictures.

    Args:
        detector: loaded with :data:`IOU_THRESHOLD`.
        data: pictures and labels.
        report: called with the number of processed pictures.

    Raises:
        DataError: a picture or a label file cannot be used.
        EngineError: the engine fails.
    """
    labels = detector.description.labels
    objects = data.read(labels)
    buffers = detector.allocate()
    truths, found = [], []
    for done, (picture, own) in enumerate(zip(data.pictures, objects, strict=True), 1):
        image = read_picture(picture)
        height, width = image.shape[:2]
        truths.append(ground_truth(own, width, height))
        found.append(detector.detect(image, buffers, SCORE_THRESHOLD))
        report(done)
    return Found(truths, found, labels)


def ground_truth(labels: Labels, width: int, height: int) -> GroundTruth:
    """Return the labelled objects of a picture of a size in pixels."""
    centre, size = labels.boxes[:, :2], labels.boxes[:, 2:]
    shares = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
    pixels = shares * np.array([width, height, width, height], np.float32)
    crowds = None if labels.crowds is None else ground_truth(labels.crowds, width, height)
    return GroundTruth((width, height), pixels, labels.classes, crowds)
