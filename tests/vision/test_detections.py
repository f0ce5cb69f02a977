from __future__ import annotations

import numpy as np
import pytest

from edgeagent.vision.detections import Detections


def some(count: int, first: int = 0) -> Detections:
    numbers = np.arange(first, first + count)
    boxes = (numbers[:, None] + np.array([0, 0, 10, 10])).astype(np.float32)
    return Detections(boxes, (numbers / 100).astype(np.float32), numbers.astype(np.int32))


def types(detections: Detections) -> list[str]:
    return [str(part.dtype) for part in (detections.boxes, detections.scores, detections.classes)]


def test_empty_detections_keep_shapes_and_types() -> None:
    for empty in (Detections.empty(), Detections.join([]), Detections.join([Detections.empty()] * 2)):
        assert len(empty) == 0
        assert (empty.boxes.shape, empty.scores.shape, empty.classes.shape) == ((0, 4), (0,), (0,))
        assert types(empty) == ["float32", "float32", "int32"]


def test_parts_are_joined_in_order() -> None:
    joined = Detections.join([some(2), Detections.empty(), some(3, 2)])
    whole = some(5)
    assert types(joined) == types(whole)
    np.testing.assert_array_equal(joined.boxes, whole.boxes)
    np.testing.assert_array_equal(joined.scores, whole.scores)
    np.testing.assert_array_equal(joined.classes, whole.classes)


@pytest.mark.parametrize(
    ("index", "wanted"),
    [
        (np.array([3, 0, 3]), [3, 0, 3]),
        (np.array([True, False, False, True]), [0, 3]),
        (slice(1, 3), [1, 2]),
        (np.array([], np.intp), []),
    ],
    ids=["positions", "mask", "slice", "none"],
)
def test_take_selects_detections(
    index: slice | np.ndarray[tuple[int], np.dtype[np.intp]], wanted: list[int]
) -> None:
    taken = some(4).take(index)
    assert taken.classes.tolist() == wanted
    assert taken.boxes[:, 0].tolist() == wanted
    assert taken.scores.tolist() == pytest.approx([number / 100 for number in wanted])
