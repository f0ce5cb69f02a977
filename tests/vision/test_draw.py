from __future__ import annotations

import itertools

import numpy as np
import pytest

from edgeagent.imaging.frame import Image
from edgeagent.vision.detections import Detections
from edgeagent.vision.draw import class_colour, draw

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
