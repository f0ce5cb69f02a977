"""Average precision of masks in cases that can be computed by hand, and of a model that is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco

from edgeagent.accuracy.coco_map import Found, GroundTruth, NoAccuracyError
from edgeagent.accuracy.evaluation import (
    IOU_THRESHOLD,
    InstanceEvaluation,
    accuracy_values,
    compare_evaluations,
    evaluate_model,
)
from edgeagent.accuracy.instance_accuracy import encode_mask, encode_outlines, instance_accuracy
from edgeagent.bundle.model_description import describe_model
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.detection.detector import load_detector
from edgeagent.engines.engine import TensorSpec
from edgeagent.errors import DataError
from edgeagent.vision.detections import Detections
from edgeagent.vision.masks import Mask, Prototypes
from tests.instances import disc_model, disc_pictures

SIZE = (100, 80)
LABELS = ("a", "b")
Rectangle = tuple[int, int, int, int]
OBJECT: Rectangle = (10, 20, 60, 70)
STRIPES = np.array([1, -1, 1, -1], np.float32).reshape(4, 1, 1) * np.ones((4, 4, 1), np.float32)


def outline(box: Rectangle) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    x1, y1, x2, y2 = box
    corners = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float32)
    corners /= np.array(SIZE, np.float32)
    return corners


def filled(box: Rectangle, size: tuple[int, int] = SIZE) -> Mask:
    """Mask that covers a box."""
    codes = np.ones((4, 4, 1), np.float32)
    prototypes = Prototypes(codes, TensorSpec("p", (1, 4, 4, 1), codes.dtype))
    cell = size[0] / 4, size[1] / 4
    x1, y1, x2, y2 = (float(value) for value in box)
    return Mask(np.ones(1, np.float32), prototypes, (x1, y1, x2, y2), cell, (0, 0), (size[1], size[0]))


@pytest.mark.parametrize("box", [OBJECT, (0, 0, 100, 80), (0, 5, 1, 80), (99, 0, 100, 1), (40, 0, 60, 80)])
def test_an_encoded_mask_is_that_of_the_picture(box: Rectangle) -> None:
    mask = filled(box)
    empty = replace(mask, coefficients=-mask.coefficients)
    striped = replace(mask, prototypes=replace(mask.prototypes, codes=STRIPES))
    for one in (mask, empty, striped):
        assert (coco.decode(encode_mask(one)) == one.in_picture()).all()
    assert not empty.in_picture().any()


def found(*pictures: tuple[Sequence[tuple[int, Rectangle]], Sequence[tuple[int, Rectangle]]]) -> Found:
    """Pictures of labelled and found rectangles of a class; all boxes found are those of the labels."""
    truths, detections, masks = [], [], []
    for labelled, given in pictures:
        boxes = np.array([box for _, box in labelled], np.float32).reshape(-1, 4)
        classes = np.array([index for index, _ in labelled], np.int32)
        outlines = encode_outlines([outline(box) for _, box in labelled], SIZE)
        truths.append(GroundTruth(SIZE, boxes, classes, masks=outlines))
        detections.append(Detections(boxes, np.full(len(classes), 0.9, np.float32), classes))
        pixels = []
        for _, box in given:
            pixels.append(encode_mask(filled(box)))
        masks.append(pixels)
    return Found(truths, detections, LABELS, masks)


def test_masks_that_are_right() -> None:
    result = instance_accuracy(found(([(0, OBJECT)], [(0, OBJECT)]), ([(1, OBJECT)], [(1, OBJECT)])))
    assert (result.mask_map50_95, result.mask_map50) == pytest.approx((1, 1))
    assert (result.map50_95, result.map50) == pytest.approx((1, 1))
    assert result.images == 2
    assert result.per_class == {"a": 1, "b": 1}


def test_a_mask_of_four_fifths_reaches_seven_of_ten_thresholds() -> None:
    """IoU .8 is right from .50 to .80; the box is right at all thresholds."""
    result = instance_accuracy(found(([(0, OBJECT)], [(0, (10, 20, 50, 70))])))
    assert result.mask_map50_95 == pytest.approx(0.7)
    assert result.mask_map50 == pytest.approx(1)
    assert result.map50_95 == pytest.approx(1)


def test_no_object_at_all() -> None:
    with pytest.raises(NoAccuracyError, match="no object"):
        instance_accuracy(found(([], [])))


def test_nothing_found() -> None:
    given = found(([(0, OBJECT)], [(0, OBJECT)]))
    nothing = Found(given.truths, [Detections.empty()], LABELS, [[]])
    assert instance_accuracy(nothing).mask_map50_95 == 0


def test_the_difference_of_masks_has_an_interval() -> None:
    labelled = [(0, OBJECT)]
    right = InstanceEvaluation(found(*[(labelled, labelled)] * 4))
    worse = InstanceEvaluation(found(*[(labelled, [(0, (10, 20, 50, 70))])] * 4))
    difference = compare_evaluations(worse, right)
    assert (difference.difference, difference.low, difference.high) == pytest.approx((-0.3, -0.3, -0.3))
    assert accuracy_values(worse) == {"mask_map50_95": 0.7, "mask_map50": 1.0}


def test_a_model_that_is_right_and_labels_that_do_not_fit(tmp_path: Path) -> None:
    model = disc_model(tmp_path / "discs.onnx")
    folder = disc_pictures(tmp_path / "pictures", 6)
    detector = load_detector(describe_model(model), model, "onnx", (), 1, IOU_THRESHOLD)
    data = LabelledPictures.find(folder / "images", folder / "labels")
    result = evaluate_model(detector, data).accuracy
    assert getattr(result, "mask_map50_95", 0) > 0.7
    assert getattr(result, "map50", 0) > 0.9
    first = data.label_files[0]
    assert first is not None
    first.write_text("0 0.5 0.5 0.2 0.2\n")
    boxes = LabelledPictures.find(folder / "images", folder / "labels")
    with pytest.raises(
        DataError, match="only the box is known, and the model gives the pixels of each object"
    ):
        evaluate_model(detector, boxes)
    detector.engine.close()
