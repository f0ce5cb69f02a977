"""Real photos as material of drawn roads: what lies beyond the horizon, surfaces, vehicles, things beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edgeagent.datasets.picture_files import list_pictures
from edgeagent.imaging.frame import Image
from edgeagent.imaging.picture import read_picture

VEHICLES = (0, 1, 4)
"""Classes of the road pictures that are drawn as vehicles: bus, car, truck."""
LEAST_VEHICLE = 36
"""Width and height of the picture of a vehicle, in pixels."""
TILE = 256
ABOVE = 0.45
"""Upper share of a road picture that shows what lies beyond the road."""

DARKEST, LEAST_BRIGHT = 16, 0.05
"""Value up to which a pixel is black, and least share of a line that is brighter."""


@dataclass(frozen=True)
class Material:
    """Photos of one split; none of them is in another split.

    Attributes:
        photos: of anything.
        roads: pictures of roads.
        labels: folder of the YOLO labels of ``roads``.
    """

    photos: Sequence[Path]
    roads: Sequence[Path]
    labels: Path

    def photo(self, chance: np.random.Generator) -> Image:
        """Return a photo of anything."""
        return read_picture(self.photos[int(chance.integers(len(self.photos)))])

    def beyond(self, chance: np.random.Generator) -> Image:
        """Return what lies beyond the horizon."""
        if chance.random() < 0.6:
            road = trimmed(read_picture(self.roads[int(chance.integers(len(self.roads)))]))
            return road[: int(len(road) * ABOVE)]
        photo = self.photo(chance)
        return photo[: int(len(photo) * chance.uniform(0.4, 1))]

    def surface(self, chance: np.random.Generator) -> np.ndarray:
        """Return a grey tile (256, 256) float32 with a mean of 0 and a deviation of 1."""
        photo = cv2.cvtColor(self.photo(chance), cv2.COLOR_BGR2GRAY)
        tile = cv2.resize(photo, (TILE, TILE), interpolation=cv2.INTER_AREA).astype(np.float32)
        tile -= cv2.GaussianBlur(tile, (0, 0), 24)
        return np.asarray(tile / max(1.0, float(tile.std())))

    def vehicle(self, chance: np.random.Generator) -> Image:
        """Return the picture of a vehicle."""
        while True:
            path = self.roads[int(chance.integers(len(self.roads)))]
            label = self.labels / f"{path.stem}.txt"
            rows = [line.split() for line in label.read_text(encoding="utf-8").splitlines()]
            rows = [row for row in rows if int(row[0]) in VEHICLES]
            if not rows:
                continue
            picture = read_picture(path)
            height, width = picture.shape[:2]
            x, y, wide, tall = (float(value) for value in rows[int(chance.integers(len(rows)))][1:5])
            top, left = max(0, round((y - tall / 2) * height)), max(0, round((x - wide / 2) * width))
            found = picture[top : round((y + tall / 2) * height), left : round((x + wide / 2) * width)]
            if min(found.shape[:2]) >= LEAST_VEHICLE:
                return found[:, ::-1] if chance.random() < 0.5 else found

    def thing(self, chance: np.random.Generator) -> Image:
        """Return a part of a photo, for what stands at the side of a road."""
        photo = self.photo(chance)
        height, width = photo.shape[:2]
        tall, wide = (max(8, int(side * chance.uniform(0.2, 0.7))) for side in (height, width))
        top, left = int(chance.integers(height - tall + 1)), int(chance.integers(width - wide + 1))
        return photo[top : top + tall, left : left + wide]


def trimmed(picture: Image) -> Image:
    """Return a picture without the black bars that made it square."""
    bright = picture.max(axis=2) > DARKEST
    rows, columns = (np.flatnonzero(bright.mean(axis=axis) > LEAST_BRIGHT) for axis in (1, 0))
    if not len(rows) or not len(columns):
        return picture
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def find_material(photos: Path, roads: Path, chosen: bool) -> Material:
    """Return the material of the drawn pictures that are trained on, or of those that are measured on.

    Args:
        photos: folder of photos of anything; of every four, three are for training.
        roads: folder with ``train`` and ``valid`` of road pictures with YOLO labels.
        chosen: whether it is for training.
    """
    split = roads / ("train" if chosen else "valid")
    own = [
        path
        for number, path in enumerate(list_pictures(photos, recursive=True))
        if (number % 4 != 3) == chosen
    ]
    return Material(own, list_pictures(split / "images"), split / "labels")
