"""A detector with known preprocessing: it finds red cells.

It takes red first, 0..1, letterboxed to the top left. The input is 64 x 64, pictures are 64 x 40, so that a
centred picture has its objects between the cells. Orange cells are no objects, but look like red ones to a
network that is fed too large numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edgeagent.imaging.frame import Image
from tests.qat.models import SIZE, GraphBuilder

CELL, COLUMNS, ROWS = 8, 8, 5
RED, ORANGE = (30, 30, 221), (60, 120, 167)
"""Blue, green, red."""
GAIN, LEAST = 150.0, 0.6
"""Gain of the logit and the least difference of red and blue, of 0..1."""


def write_model(path: Path, sigmoid: bool = True) -> Path:
    """Write the detector, a YOLOX of one stride; without ``sigmoid`` its scores are logits."""
    g = GraphBuilder()

    def head(weight: Sequence[Sequence[float]], bias: Sequence[float]) -> str:
        mean = np.ones((1, 1, CELL, CELL)) / CELL**2
        kernel = np.array(weight).reshape(-1, 3, 1, 1) * mean
        parts = (g.constant(kernel, np.float32), g.constant(bias, np.float32))
        return g.node("Conv", "images", *parts, kernel_shape=[CELL, CELL], strides=[CELL, CELL])

    blind = (0.0, 0.0, 0.0)
    box = head([blind] * 4, (0.5, 0.5, 0, 0))
    objectness = head([blind], (10,))
    classes = head([(GAIN, 0, -GAIN), blind], (-GAIN * LEAST, -50))
    if not sigmoid:
        side = SIZE // CELL
        return g.save(path, {n: (1, c, side, side) for n, c in ((box, 4), (objectness, 1), (classes, 2))})
    scores = [g.node("Sigmoid", name) for name in (objectness, classes)]
    rows = g.node("Reshape", g.node("Concat", box, *scores, axis=1), g.constant([1, 7, -1]))
    cells = (SIZE // CELL) ** 2
    return g.save(path, {g.node("Transpose", rows, perm=[0, 2, 1]): (1, cells, 7)})


def write_pictures(images: Path, labels: Path, count: int = 12) -> None:
    """Write pictures with three red and three orange cells each, and the labels of the red ones."""
    random = np.random.default_rng(0)
    images.mkdir()
    labels.mkdir()
    for number in range(count):
        places = random.permutation(COLUMNS * ROWS)[:6]
        picture = np.full((ROWS * CELL, COLUMNS * CELL, 3), 90, np.uint8)
        for place, colour in zip(places, (ORANGE, RED) * 3, strict=True):
            _fill(picture, int(place), colour)
        cv2.imwrite(str(images / f"{number}.png"), picture)
        lines = [_label(int(place)) for place in places[1::2]]
        (labels / f"{number}.txt").write_text("".join(lines))


def _fill(picture: Image, place: int, colour: tuple[int, int, int]) -> None:
    row, column = divmod(place, COLUMNS)
    picture[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = colour


def _label(place: int) -> str:
    row, column = divmod(place, COLUMNS)
    return f"0 {(column + 0.5) / COLUMNS} {(row + 0.5) / ROWS} {1 / COLUMNS} {1 / ROWS}\n"
