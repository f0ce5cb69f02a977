"""Fitting a picture into the input tensor, and boxes back into the picture.

The scaled picture is written straight into the engine's input buffer. YOLOX's convention: scale
r = min(W / w, H / h), size int(w * r) x int(h * r), bilinear; the rest is grey.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edgeagent.bundle.manifest import InputSpec
from edgeagent.camera.frame import Image
from edgeagent.runtime.engine import Array, TensorSpec
from edgeagent.vision.detections import Detections


@dataclass(frozen=True, slots=True)
class Fit:
    """How a picture of one size lies in the input.

    Attributes:
        source: (height, width) of the picture in pixels.
        size: (height, width) of the scaled picture in the input.
        offset: (top, left) of the scaled picture in the input.
        scale: (vertical, horizontal), input pixels per source pixel.
    """

    source: tuple[int, int]
    size: tuple[int, int]
    offset: tuple[int, int]
    scale: tuple[float, float]

    def to_source(self, detections: Detections) -> Detections:
        """Move boxes from input pixels to pixels of the picture, clipped to it; those outside are dropped."""
        if not len(detections):
            return detections
        (top, left), (vertical, horizontal), (height, width) = self.offset, self.scale, self.source
        boxes = detections.boxes - np.float32([left, top, left, top])  # type: ignore[arg-type]
        boxes /= np.float32([horizontal, vertical, horizontal, vertical])  # type: ignore[arg-type]
        np.clip(boxes[:, 0::2], 0, width, out=boxes[:, 0::2])
        np.clip(boxes[:, 1::2], 0, height, out=boxes[:, 1::2])
        inside = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        moved = Detections(boxes, detections.scores, detections.classes)
        return moved if inside.all() else moved.take(inside)

    def to_input(self, boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Move boxes (n, 4) x1 y1 x2 y2 from pixels of the picture to input pixels."""
        (top, left), (vertical, horizontal) = self.offset, self.scale
        factor = np.array([horizontal, vertical, horizontal, vertical], np.float32)
        return boxes * factor + np.array([left, top, left, top], np.float32)


def fit_picture(source: tuple[int, int], spec: InputSpec) -> Fit:
    """Return how a picture of (height, width) is fitted."""
    height, width = source
    if spec.letterbox is None:
        scale = (spec.height / height, spec.width / width)
        return Fit(source, (spec.height, spec.width), (0, 0), scale)
    ratio = min(spec.height / height, spec.width / width)
    size = (max(1, int(height * ratio)), max(1, int(width * ratio)))
    centred = spec.letterbox.anchor == "centre"
    offset = ((spec.height - size[0]) // 2, (spec.width - size[1]) // 2) if centred else (0, 0)
    return Fit(source, size, offset, (ratio, ratio))


class Preprocessor:
    """Writes pictures into input buffers.

    A buffer of uint8 pixels in NHWC order is written in place by one resize. Every other kind goes
    through one scratch picture and one table look-up or one multiplication.

    Args:
        spec: the input as the manifest describes it.
        tensor: the engine's input.
    """

    def __init__(self, spec: InputSpec, tensor: TensorSpec) -> None:
        self._spec = spec
        self._nchw = tensor.shape[1] == 3 and tensor.shape[3] != 3
        self._values = _values(spec, tensor)
        pixels = np.arange(256, dtype=np.uint8)
        plain = tensor.dtype == np.uint8 and all((column == pixels).all() for column in self._values.T)
        self._in_place = plain and not self._nchw
        table = np.ascontiguousarray(self._values).reshape(1, 256, 3)
        self._bytes = table.view(np.uint8) if table.itemsize == 1 and not self._nchw else None
        self._scratch = None if self._in_place else np.empty((spec.height, spec.width, 3), np.uint8)
        self._fits: dict[tuple[int, int], Fit] = {}

    def write(self, picture: Image, buffer: Array) -> Fit:
        """Fit a picture into a buffer and return how it lies there.

        Args:
            picture: (h, w, 3) uint8, BGR.
            buffer: of the tensor's shape and dtype; what it held is overwritten, the padding too.
        """
        fit = self._fit(picture.shape[0], picture.shape[1])
        canvas: Image = buffer[0] if self._scratch is None else self._scratch
        (top, left), (height, width) = fit.offset, fit.size
        rows = canvas[top : top + height]
        region = rows[:, left : left + width]
        if self._spec.letterbox:
            for padding in (canvas[:top], canvas[top + height :], rows[:, :left], rows[:, left + width :]):
                padding[...] = self._spec.letterbox.pad
        cv2.resize(picture, (width, height), dst=region, interpolation=cv2.INTER_LINEAR)
        if self._spec.colour == "rgb":
            cv2.cvtColor(region, cv2.COLOR_BGR2RGB, dst=region)
        if self._scratch is not None:
            self._convert(self._scratch, buffer)
        return fit

    def _fit(self, height: int, width: int) -> Fit:
        source = (height, width)
        if source not in self._fits:
            self._fits.clear()  # sizes change rarely; a hostile stream must not fill the memory
            self._fits[source] = fit_picture(source, self._spec)
        return self._fits[source]

    def _convert(self, scratch: Image, buffer: Array) -> None:
        if self._bytes is not None:
            cv2.LUT(scratch, self._bytes, dst=buffer[0].view(np.uint8))
            return
        for channel in range(3):
            target = buffer[0, channel] if self._nchw else buffer[0, :, :, channel]
            np.take(self._values[:, channel], scratch[:, :, channel], out=target, mode="clip")


def _values(spec: InputSpec, tensor: TensorSpec) -> npt.NDArray[Any]:
    """Return what each pixel value becomes in each channel, (256, 3) of the tensor's dtype.

    Float tensors take (pixel - mean) / std; integer tensors the code of that on their grid. An integer
    tensor without a grid takes pixels, int8 less 128.
    """
    pixels = np.arange(256, dtype=np.float32)[:, None]
    real = (pixels - np.array(spec.mean, np.float32)) / np.array(spec.std, np.float32)
    if not np.issubdtype(tensor.dtype, np.integer):
        return real.astype(tensor.dtype)
    if tensor.scale is None:
        codes = np.repeat(pixels, 3, axis=1) + np.iinfo(tensor.dtype).min
    else:
        codes = np.round(real / np.float32(tensor.scale)) + tensor.zero_point
    limits = np.iinfo(tensor.dtype)
    return np.clip(codes, limits.min, limits.max).astype(tensor.dtype)
