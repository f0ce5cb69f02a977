"""Training pictures: found in folders, fitted as on the device, half of them in 2 x 2 mosaics.

Which pictures make up item ``i``, and how they are changed, depends on the seed and ``i`` alone, so that a
resumed run sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from edgeagent.bundle.manifest import InputSpec
from edgeagent.camera.picture import PICTURE_SUFFIXES, read_picture
from edgeagent.errors import DataError
from edgeagent.runtime.engine import TensorSpec
from edgeagent.vision.letterbox import Preprocessor

Image = npt.NDArray[np.uint8]
MOSAIC_SHARE = 0.5


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


class Fitted(Dataset[torch.Tensor]):
    """Pictures fitted into the input as on the device, without augmentation: for calibration."""

    def __init__(self, pictures: Sequence[Path], spec: InputSpec) -> None:
        self._pictures, self._spec = pictures, spec

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Return (3, height, width) float32, normalized as the network takes it."""
        return normalized(fit(read_picture(self._pictures[index]), self._spec), self._spec)


class Augmented(Dataset[torch.Tensor]):
    """An endless row of training pictures, long enough for ``items``."""

    def __init__(self, pictures: Sequence[Path], spec: InputSpec, seed: int, items: int) -> None:
        self._pictures, self._spec, self._seed, self._items = pictures, spec, seed, items

    def __len__(self) -> int:
        return self._items

    def __getitem__(self, index: int) -> torch.Tensor:
        """Return (3, height, width) float32, normalized as the network takes it."""
        random = np.random.default_rng((self._seed, index))
        if random.random() < MOSAIC_SHARE:
            picture = self._mosaic(random)
        else:
            picture = fit(self._picture(random), self._spec)
        return normalized(_changed_light(picture, random), self._spec)

    def _picture(self, random: np.random.Generator) -> Image:
        picture = read_picture(self._pictures[int(random.integers(len(self._pictures)))])
        return cv2.flip(picture, 1).astype(np.uint8, copy=False) if random.random() < 0.5 else picture

    def _mosaic(self, random: np.random.Generator) -> Image:
        """Four pictures around a random centre."""
        height, width = self._spec.height, self._spec.width
        canvas = np.empty((height, width, 3), np.uint8)
        x, y = (int(size * random.uniform(0.35, 0.65)) for size in (width, height))
        for rows in (slice(0, y), slice(y, height)):
            for columns in (slice(0, x), slice(x, width)):
                tile = self._spec.model_copy(
                    update={"width": columns.stop - columns.start, "height": rows.stop - rows.start}
                )
                canvas[rows, columns] = fit(self._picture(random), tile)
        return canvas


def fit(picture: Image, spec: InputSpec) -> Image:
    """Return the picture (h, w, 3) fitted as on the device: (height, width, 3) uint8."""
    buffer = np.empty((1, spec.height, spec.width, 3), np.uint8)
    tensor = TensorSpec("picture", buffer.shape, buffer.dtype)
    Preprocessor(spec, tensor).write(picture, buffer)
    return buffer[0]


def normalized(picture: Image, spec: InputSpec) -> torch.Tensor:
    """Return (3, height, width) float32 with the mean subtracted and divided by std."""
    values = (picture.astype(np.float32) - np.float32(spec.mean)) / np.float32(spec.std)  # type: ignore[arg-type]
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))


def _changed_light(picture: Image, random: np.random.Generator) -> Image:
    """Change contrast and brightness a little."""
    gain, offset = random.uniform(0.8, 1.2), random.uniform(-20, 20)
    return cv2.convertScaleAbs(picture, alpha=gain, beta=offset).astype(np.uint8, copy=False)
