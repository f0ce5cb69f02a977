from __future__ import annotations

import logging
from pathlib import Path

import pytest

from edgeagent.datasets.class_names import ClassNames, match_names
from edgeagent.datasets.labels import Labels, labels_of
from edgeagent.errors import DataError

FILE = Path("data.yaml")


def objects(*classes: int) -> Labels:
    return labels_of([(index, 0.5, 0.5, 0.1, 0.1) for index in classes])


def test_names_are_matched_whatever_their_case_and_blanks() -> None:
    labels = ("person", "traffic light", "Car", "car")
    assert match_names(("Traffic_Light", "PERSON", "dog", "traffic-light", "trafficlight"), labels) == (
        1, 0, -1, 1, 1,
    )  # fmt: skip
    assert match_names(("car", "Car", "CAR"), labels) == (3, 2, -1), "two labels are alike: only as written"


def test_names_of_coco_and_of_darknet_are_the_same_classes() -> None:
    coco = ("airplane", "motorcycle", "couch", "potted plant", "dining table", "tv")
    darknet = ("tvmonitor", "diningtable", "pottedplant", "sofa", "motorbike", "aeroplane")
    assert match_names(coco, darknet) == match_names(darknet, coco) == (5, 4, 3, 2, 1, 0)


def test_another_order_is_renumbered_and_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    names = ClassNames(("bus", "motorcycle", "person"), FILE)
    first, second = names.renumber([objects(0, 2), objects(1)], ("person", "motorbike", "bus"))
    assert (first.classes.tolist(), second.classes.tolist()) == ([2, 0], [1])
    assert caplog.messages == [
        "data.yaml: classes are matched to the labels of the model by name: bus 0 -> 2, "
        "motorcycle 1 -> motorbike 1, person 2 -> 0"
    ]


def test_the_same_order_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        (found,) = ClassNames(("a", "b", "unused"), FILE).renumber([objects(1, 0)], ("a", "b", "c"))
    assert found.classes.tolist() == [1, 0]
    assert not caplog.records


def test_objects_of_other_classes_are_left_out_with_their_number(caplog: pytest.LogCaptureFixture) -> None:
    (found,) = ClassNames(("dog", "a"), FILE).renumber([objects(0, 1, 0)], ("cat", "a"))
    assert found.classes.tolist() == [1]
    assert found.boxes.shape == (1, 4)
    assert caplog.messages == [
        "data.yaml: 2 objects are left out, as the model has no label of their name: dog; labels of the "
        "model without a class of their name: cat"
    ]


def test_crowds_are_renumbered_too() -> None:
    labels = Labels(objects(1).classes, objects(1).boxes, objects(0, 1, 2))
    (found,) = ClassNames(("a", "b", "dog"), FILE).renumber([labels], ("b", "a"))
    assert found.classes.tolist() == [0]
    assert found.crowds is not None
    assert found.crowds.classes.tolist() == [1, 0]


def test_no_common_name_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        ClassNames(("x", "person"), FILE).renumber([objects(0)], ("person",))
    assert str(caught.value) == (
        "data.yaml: none of its classes (x) is a label of the model (person); write the names of the model "
        "there"
    )


def test_pictures_without_objects_need_a_common_name(caplog: pytest.LogCaptureFixture) -> None:
    (found,) = ClassNames(("x", "person"), FILE).renumber([objects()], ("person",))
    assert found.boxes.shape == (0, 4)
    with pytest.raises(DataError, match="none of its classes"):
        ClassNames(("x",), FILE).renumber([objects()], ("person",))
