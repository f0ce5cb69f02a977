"""Augmented training pictures: flipped, changed in light, half of them in 2 x 2 mosaics.

The pictures of item ``i`` and their changes depend on the seed and ``i`` only, so that a resumed run sees the
same items as an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from edgeagent.bundle.manifest import InputSpec
from edgeagent.bundle.task import OBJECT_TASKS, Task
from edgeagent.datasets.labels import Labels
from edgeagent.imaging.frame import Image
from edgeagent.imaging.picture import read_picture
from edgeagent.qat.pictures.fitted import fit, normalized
from edgeagent.qat.training.labelled import FloatArray, TrainingSample, mirrored, placed
from edgeagent.qat.training.recipe import Recipe
from edgeagent.vision.preprocessor import fit_picture

MOSAIC_SHARE = 0.5


@dataclass(frozen=True)
class Augmentation:
    """Random choices of a training.

    Attributes:
        seed: seed of all choices; labels do not change them.
        items: number of samples.
        mosaic: share of the samples that are 2 x 2 mosaics.
        mosaic_items: number of the first samples that may be mosaics; None for all.
        flip: share of the pictures that are mirrored.
    """

    seed: int
    items: int
    mosaic: float = MOSAIC_SHARE
    mosaic_items: int | None = None
    flip: float = 0.5

    @classmethod
    def of(cls, recipe: Recipe, task: Task = "detection") -> Augmentation:
        """Return the augmentation of a recipe.

        Pictures of a classifier stay whole and the right way round: four of them in one have no class, and
        the mirror image of a picture, such as that of a text, need not have its class.
        """
        items = recipe.steps * recipe.batch
        if task not in OBJECT_TASKS:
            return cls(recipe.seed, items, mosaic=0.0, flip=0.0)
        return cls(recipe.seed, items, recipe.mosaic, int(recipe.mosaic_until * recipe.steps) * recipe.batch)

    def is_mosaic(self, index: int, drawn: float) -> bool:
        """Return whether a sample is a mosaic, for a number drawn from 0..1."""
        limit = self.items if self.mosaic_items is None else self.mosaic_items
        return drawn < self.mosaic and index < limit


class Augmented(Dataset[TrainingSample]):
    """Dataset of augmented training pictures.

    Args:
        pictures: files to draw from; a picture listed twice is drawn twice as often.
        spec: input of the model.
        augmentation: random choices and number of samples.
        labels: labels of some of the pictures, from :func:`edgeagent.qat.training.labelled.find_labels`.
    """

    def __init__(
        self,
        pictures: Sequence[Path],
        spec: InputSpec,
        augmentation: Augmentation,
        labels: Mapping[Path, Labels] | None = None,
    ) -> None:
        self._pictures, self._spec, self._augmentation = pictures, spec, augmentation
        self._labels = labels or {}

    def __len__(self) -> int:
        return self._augmentation.items

    def __getitem__(self, index: int) -> TrainingSample:
        """Return a sample, with its boxes if all of its pictures are labelled."""
        random = np.random.default_rng((self._augmentation.seed, index))
        if self._augmentation.is_mosaic(index, random.random()):
            picture, boxes = self._mosaic(random)
        else:
            picture, boxes = self._fitted(random, self._spec)
        tensor = normalized(_changed_light(picture, random), self._spec)
        if boxes is None:
            return TrainingSample(tensor, torch.zeros(0, 5), False)
        return TrainingSample(tensor, torch.from_numpy(boxes), True)

    def _fitted(self, random: np.random.Generator, spec: InputSpec) -> tuple[Image, FloatArray | None]:
        """Return a picture fitted into an input, and its boxes there; None if it is unlabelled."""
        path = self._pictures[int(random.integers(len(self._pictures)))]
        picture, labels = read_picture(path), self._labels.get(path)
        if random.random() < self._augmentation.flip:
            picture = cv2.flip(picture, 1).astype(np.uint8, copy=False)
            labels = None if labels is None else mirrored(labels)
        boxes = None if labels is None else placed(labels, fit_picture(picture.shape[:2], spec))
        return fit(picture, spec), boxes

    def _mosaic(self, random: np.random.Generator) -> tuple[Image, FloatArray | None]:
        """Return four pictures around a random centre, and their boxes; None if one is unlabelled."""
        height, width = self._spec.height, self._spec.width
        canvas = np.empty((height, width, 3), np.uint8)
        found: list[FloatArray] = []
        x, y = (int(size * random.uniform(0.35, 0.65)) for size in (width, height))
        for rows in (slice(0, y), slice(y, height)):
            for columns in (slice(0, x), slice(x, width)):
                tile = self._spec.model_copy(
                    update={"width": columns.stop - columns.start, "height": rows.stop - rows.start}
                )
                canvas[rows, columns], boxes = self._fitted(random, tile)
                if boxes is not None:
                    corner = (0, columns.start, rows.start, columns.start, rows.start)
                    found.append(boxes + np.array(corner, np.float32))
        return canvas, np.concatenate(found) if len(found) == 4 else None


def _changed_light(picture: Image, random: np.random.Generator) -> Image:
    """Return a picture with contrast and brightness changed slightly."""
    gain, offset = random.uniform(0.8, 1.2), random.uniform(-20, 20)
    changed: Image = cv2.convertScaleAbs(picture, alpha=gain, beta=offset).astype(np.uint8, copy=False)
    return changed
