"""Training pictures: found in folders, fitted as on the device, half of them in 2 x 2 mosaics.

Which pictures make up item ``i``, and how they are changed, depends on the seed and ``i`` alone, so that a
resumed run sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from edgeagent.bundle.manifest import InputSpec
from edgeagent.datasets.yolo_labels import Labels
from edgeagent.engines.engine import TensorSpec
from edgeagent.errors import DataError
from edgeagent.imaging.picture import PICTURE_SUFFIXES, read_picture
from edgeagent.qat.training.labelled import FloatArray, TrainingSample, mirrored, placed
from edgeagent.vision.preprocessor import Preprocessor, fit_picture

Image = npt.NDArray[np.uint8]
MOSAIC_SHARE = 0.5
HELD_OUT = 64  # pictures at most
HELD_OUT_SHARE = 0.1


def find_pictures(folders: Sequence[Path]) -> list[Path]:
    """Return the pictures below the folders, sorted by name within each; a repeated folder counts again.

    Raises:
        DataError: a folder is missing or has no pictures.
    """
    found = []
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder of pictures")
        pictures = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
        if not pictures:
            raise DataError(f"{folder}: no pictures here; {', '.join(sorted(PICTURE_SUFFIXES))} are read")
        found.extend(pictures)
    return found


def pictures_hash(pictures: Sequence[Path]) -> str:
    """Return sha256 over the contents of the pictures, in order, as hex."""
    digest = hashlib.sha256()
    for path in pictures:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def check_varied(pictures: Sequence[Path]) -> None:
    """Refuse pictures that are all the same one.

    Raises:
        DataError: there are several files, and all have the same content; or one cannot be read.
    """
    try:
        contents = {hashlib.sha256(path.read_bytes()).digest() for path in dict.fromkeys(pictures)}
    except OSError as error:
        raise DataError(f"{error.filename}: the picture cannot be read ({error.strerror})") from None
    if len(contents) == 1 and len(pictures) > 1:
        raise DataError(
            f"{pictures[0].parent}: all {len(pictures)} pictures are the same; ranges and weights made from "
            "one picture fit no other: give pictures like those the camera will see"
        )


def hold_out(pictures: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Divide pictures into those to train on and an even sample to look at: at most 64, and a tenth.

    A picture listed more than once is held out, or trained on, as a whole.
    """
    unique = list(dict.fromkeys(pictures))
    count = min(HELD_OUT, int(len(unique) * HELD_OUT_SHARE))
    held = {unique[position * len(unique) // count] for position in range(count)}
    return [path for path in pictures if path not in held], [path for path in unique if path in held]


class Fitted(Dataset[torch.Tensor]):
    """Pictures fitted into the input as on the device, without augmentation: for calibration."""

    def __init__(self, pictures: Sequence[Path], spec: InputSpec) -> None:
        self._pictures, self._spec = pictures, spec

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Return (3, height, width) float32, normalized as the network takes it."""
        return normalized(fit(read_picture(self._pictures[index]), self._spec), self._spec)


class Augmented(Dataset[TrainingSample]):
    """An endless row of training pictures, long enough for ``items``.

    Args:
        pictures: to draw from; a picture listed twice is drawn twice as often.
        spec: the input they are fitted into.
        seed: of all choices; labels do not change them.
        items: length.
        labels: of some of the pictures, as :func:`edgeagent.qat.training.labelled.find_labels` returns them.
        mosaic: share of the items that are 2 x 2 mosaics.
        mosaic_items: length of the part that has mosaics; None: all.
    """

    def __init__(
        self,
        pictures: Sequence[Path],
        spec: InputSpec,
        seed: int,
        items: int,
        labels: Mapping[Path, Labels] | None = None,
        mosaic: float = MOSAIC_SHARE,
        mosaic_items: int | None = None,
    ) -> None:
        self._pictures, self._spec, self._seed, self._items = pictures, spec, seed, items
        self._mosaic_share, self._mosaic_items = mosaic, items if mosaic_items is None else mosaic_items
        self._labels = labels or {}

    def __len__(self) -> int:
        return self._items

    def __getitem__(self, index: int) -> TrainingSample:
        """Return a picture, with its boxes if all that it is made of is labelled."""
        random = np.random.default_rng((self._seed, index))
        if random.random() < self._mosaic_share and index < self._mosaic_items:
            picture, boxes = self._mosaic(random)
        else:
            picture, boxes = self._fitted(random, self._spec)
        tensor = normalized(_changed_light(picture, random), self._spec)
        if boxes is None:
            return TrainingSample(tensor, torch.zeros(0, 5), False)
        return TrainingSample(tensor, torch.from_numpy(boxes), True)

    def _fitted(self, random: np.random.Generator, spec: InputSpec) -> tuple[Image, FloatArray | None]:
        """A picture fitted into an input, and its boxes there; None if it is unlabelled."""
        path = self._pictures[int(random.integers(len(self._pictures)))]
        picture, labels = read_picture(path), self._labels.get(path)
        if random.random() < 0.5:
            picture = cv2.flip(picture, 1).astype(np.uint8, copy=False)
            labels = None if labels is None else mirrored(labels)
        boxes = None if labels is None else placed(labels, fit_picture(picture.shape[:2], spec))
        return fit(picture, spec), boxes

    def _mosaic(self, random: np.random.Generator) -> tuple[Image, FloatArray | None]:
        """Four pictures around a random centre, and their boxes; None if one is unlabelled."""
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


def fit(picture: Image, spec: InputSpec) -> Image:
    """Return the picture (h, w, 3) fitted as on the device: (height, width, 3) uint8."""
    buffer = np.empty((1, spec.height, spec.width, 3), np.uint8)
    tensor = TensorSpec("picture", buffer.shape, buffer.dtype)
    Preprocessor(spec, tensor).write(picture, buffer)
    fitted: Image = buffer[0]
    return fitted


def normalized(picture: Image, spec: InputSpec) -> torch.Tensor:
    """Return (3, height, width) float32 with the mean subtracted and divided by std."""
    values = (picture.astype(np.float32) - np.float32(spec.mean)) / np.float32(spec.std)  # type: ignore[arg-type]
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))


def _changed_light(picture: Image, random: np.random.Generator) -> Image:
    """Change contrast and brightness a little."""
    gain, offset = random.uniform(0.8, 1.2), random.uniform(-20, 20)
    changed: Image = cv2.convertScaleAbs(picture, alpha=gain, beta=offset).astype(np.uint8, copy=False)
    return changed
