"""Detections as other programs know them: single objects, supervision, COCO results."""

from __future__ import annotations

import numpy as np
import pytest
import supervision

from edgeagent.errors import DataError
from edgeagent.vision.detections import Detection, Detections

LABELS = ("person", "bicycle", "car")


def two() -> Detections:
    boxes = np.array([[1, 2, 11, 22], [5.5, 6, 7.5, 9]], np.float32)
    return Detections(boxes, np.array([0.75, 0.5], np.float32), np.array([2, 0], np.int32), LABELS)


def test_iterating_gives_single_detections_with_their_labels() -> None:
    assert list(two()) == [
        Detection("car", 0.75, (1, 2, 11, 22), 2),
        Detection("person", 0.5, (5.5, 6, 7.5, 9), 0),
    ]


def test_a_class_without_a_name_is_its_number() -> None:
    found = Detections(two().boxes, two().scores, np.array([-1, 7], np.int32), LABELS)
    assert [one.label for one in found] == ["-1", "7"]
    assert [one.label for one in two().named(())] == ["2", "0"]


def test_labels_stay_with_what_is_taken_and_joined() -> None:
    assert two().take(slice(1)).labels == LABELS
    assert Detections.join([two(), two()]).labels == LABELS
    assert Detections.empty(LABELS).labels == LABELS


def test_supervision_gets_the_same_numbers_and_gives_them_back() -> None:
    given = two().to_supervision()
    np.testing.assert_array_equal(given.xyxy, two().boxes)
    np.testing.assert_array_equal(given.confidence, two().scores)
    assert given.class_id is not None
    assert given.class_id.tolist() == [2, 0]
    assert list(given.data["class_name"]) == ["car", "person"]
    back = Detections.from_supervision(given, LABELS)
    assert list(back) == list(two())
    assert [str(part.dtype) for part in (back.boxes, back.scores, back.classes)] == [
        "float32",
        "float32",
        "int32",
    ]


def test_supervision_annotates_what_was_converted() -> None:
    scene = np.zeros((40, 40, 3), np.uint8)
    drawn = supervision.BoxAnnotator().annotate(scene.copy(), two().to_supervision())
    assert (drawn != scene).any()


def test_no_detections_are_converted_both_ways() -> None:
    assert len(Detections.empty(LABELS).to_supervision()) == 0
    back = Detections.from_supervision(supervision.Detections.empty(), LABELS)
    assert (back.boxes.shape, len(back)) == ((0, 4), 0)


def test_boxes_of_supervision_without_a_class_are_refused() -> None:
    with pytest.raises(DataError, match="class_id"):
        Detections.from_supervision(supervision.Detections(xyxy=np.array([[0, 0, 1, 1.0]])))


def test_a_missing_confidence_is_one() -> None:
    given = supervision.Detections(xyxy=np.array([[0, 0, 1, 1.0]]), class_id=np.array([1]))
    assert Detections.from_supervision(given).scores.tolist() == [1.0]


def test_coco_results_have_position_and_size() -> None:
    assert two().to_coco(7) == [
        {"image_id": 7, "category_id": 2, "bbox": [1, 2, 10, 20], "score": 0.75},
        {"image_id": 7, "category_id": 0, "bbox": [5.5, 6, 2, 3], "score": 0.5},
    ]
    assert [row["category_id"] for row in two().to_coco(7, {0: 1, 2: 3})] == [3, 1]
