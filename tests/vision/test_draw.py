from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from edgeagent.imaging.frame import Image
from edgeagent.vision.detections import Detections
from edgeagent.vision.draw import Place, _free_place, _overlap, class_colour, draw

LABELS = [f"label {index}" for index in range(80)]
GREY = 30


def grey(height: int = 240, width: int = 320) -> Image:
    return np.full((height, width, 3), GREY, np.uint8)


def found(*boxes: tuple[float, float, float, float], index: int = 3) -> Detections:
    count = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(count, 0.5, np.float32),
        np.full(count, index, np.int32),
    )


def test_no_detections_leave_the_picture_alone() -> None:
    image = grey()
    draw(image, Detections.empty(), LABELS)
    assert (image == GREY).all()


def test_a_box_is_drawn_where_it_is_in_the_colour_of_its_class() -> None:
    image = grey()
    draw(image, found((100.9, 80.2, 200.0, 180.0), index=7), LABELS)
    colour = list(class_colour(7))
    for x, y in ((100, 130), (200, 130), (150, 180), (190, 80)):
        assert image[y, x].tolist() == colour
    assert (image[90:170, 110:190] == GREY).all()  # inside
    assert (image[190:] == GREY).all()
    assert (image[:, :95] == GREY).all()


def test_the_text_stands_on_the_upper_edge() -> None:
    image = grey()
    draw(image, found((100, 80, 200, 180)), LABELS)
    above = image[60:80, 100:140].reshape(-1, 3)
    colour = np.array(class_colour(3))
    assert (above == colour).all(1).any()  # its ground
    assert (above.max(axis=1) < 20).any()  # black letters


@pytest.mark.parametrize("box", [(10, 0, 60, 90), (10, -50, 60, 90), (-40, -40, 400, 300)], ids=str)
def test_the_text_stays_below_the_upper_edge_of_the_picture(box: tuple[float, ...]) -> None:
    image = grey()
    draw(image, found(box), LABELS)  # type: ignore[arg-type]
    height = 20
    assert (image[:height].max(axis=2) < 20).any()
    wanted = grey()
    draw(wanted, found((box[0], 40, box[2], box[3])), LABELS)

    def letters(picture: Image) -> int:
        return int((picture.max(axis=2) < 20).sum())

    if box[0] > 0:
        assert letters(image) == letters(wanted)  # the whole of it


@pytest.mark.parametrize("box", [(-500, -500, -400, -400), (900, 900, 990, 990), (5, 5, 5, 5)], ids=str)
def test_boxes_beyond_the_picture_and_without_area(box: tuple[float, float, float, float]) -> None:
    image = grey(32, 48)
    draw(image, found(box), LABELS)
    assert image.shape == (32, 48, 3)


def test_later_boxes_have_their_own_class() -> None:
    image = grey()
    parts = [found((20, 100, 100, 200), index=1), found((150, 100, 250, 200), index=2)]
    draw(image, Detections.join(parts), LABELS)
    assert image[150, 20].tolist() == list(class_colour(1))
    assert image[150, 150].tolist() == list(class_colour(2))


def test_colours_are_light_all_different_and_unlike_their_neighbours() -> None:
    colours = [class_colour(index) for index in range(80)]
    assert colours == [class_colour(index) for index in range(80)]
    assert len(set(colours)) == 80
    for one, other in itertools.pairwise(colours):
        assert max(abs(a - b) for a, b in zip(one, other, strict=True)) > 60
    assert min(max(colour) for colour in colours) == 255


def label_areas(image: Image, index: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Return where a picture (h, w, 3) has the colour of a class, (h, w) bool."""
    return (image == np.array(class_colour(index), np.uint8)).all(2)  # type: ignore[no-any-return]


def test_lines_are_2_pixels_and_grow_with_the_picture() -> None:
    for height, wanted in ((240, 1), (576, 2), (1080, 4)):
        image = grey(height, height * 4 // 3)
        box = (height * 0.4, height * 0.3, height * 0.6, height * 0.8)
        draw(image, found(box, index=7), LABELS)
        row = label_areas(image, 7)[height // 2]
        assert int(row[: height // 2].sum()) == wanted, height  # the left edge


@pytest.mark.parametrize("box", [(250, 2, 330, 60), (300, 200, 340, 260), (-30, 235, 10, 300)], ids=str)
def test_a_label_at_any_edge_lies_inside(box: tuple[float, float, float, float]) -> None:
    """It is as large as that of a box in the middle."""
    image, wanted = grey(), grey()
    draw(image, found(box), LABELS)
    draw(wanted, found((100, 100, 140, 160)), LABELS)

    def letters(picture: Image) -> int:
        return int((picture.max(axis=2) < 20).sum())

    assert letters(image) == letters(wanted)


def test_labels_do_not_lie_over_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[Place] = []

    def remember(*given: Any) -> Place | None:
        place = _free_place(*given)
        places.extend([] if place is None else [place])
        return place

    monkeypatch.setattr("edgeagent.vision.draw._free_place", remember)
    image = grey(576, 768)
    draw(
        image,
        found(*[(300.0 + 12 * number, 200.0, 340.0 + 12 * number, 400.0) for number in range(6)]),
        LABELS,
    )
    assert len(places) == 6
    for number, one in enumerate(places):
        assert 0 <= one[0] < one[2] <= 768
        assert 0 <= one[1] < one[3] <= 576
        assert not any(_overlap(one, other) for other in places[:number])


def test_a_label_without_a_free_place_is_left_out() -> None:
    image = grey(60, 200)
    draw(image, found(*[(10, 10, 190, 50)] * 40), LABELS)
    again = grey(60, 200)
    draw(again, found(*[(10, 10, 190, 50)] * 80), LABELS)
    assert (image == again).all()
