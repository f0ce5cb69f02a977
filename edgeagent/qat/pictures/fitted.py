"""Pictures fitted into the input of a model, as on the device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from edgeagent.bundle.manifest import InputSpec
from edgeagent.engines.engine import TensorSpec
from edgeagent.imaging.frame import Image
from edgeagent.imaging.picture import read_picture
from edgeagent.vision.preprocessor import Preprocessor


class Fitted(Dataset[torch.Tensor]):
    """Dataset of fitted pictures without augmentation, for calibration and validation.

    Args:
        pictures: files.
        spec: input of the model.
    """

    def __init__(self, pictures: Sequence[Path], spec: InputSpec) -> None:
        self._pictures, self._spec = pictures, spec

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Return (3, height, width) float32, normalized for the network."""
        return normalized(fit(read_picture(self._pictures[index]), self._spec), self._spec)


def fit(picture: Image, spec: InputSpec, *, exact: bool = False) -> Image:
    """Return a picture (h, w, 3) fitted into the input, as on the device: (height, width, 3) uint8.

    ``exact`` is that of :class:`edgeagent.vision.preprocessor.Preprocessor`.
    """
    buffer = np.empty((1, spec.height, spec.width, 3), np.uint8)
    tensor = TensorSpec("picture", buffer.shape, buffer.dtype)
    Preprocessor(spec, tensor, exact=exact).write(picture, buffer)
    fitted: Image = buffer[0]
    return fitted


def normalized(picture: Image, spec: InputSpec) -> torch.Tensor:
    """Return (3, height, width) float32: the mean subtracted, divided by std."""
    values = (picture.astype(np.float32) - np.float32(spec.mean)) / np.float32(spec.std)  # type: ignore[arg-type]
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))
