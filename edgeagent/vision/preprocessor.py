"""Preprocessing: a picture is fitted into the engine's input buffer, and detections are moved back.

The scaled picture (bilinear) is written straight into the input buffer; the rest is padding. The arithmetic
of the fit is :mod:`edgeagent.imaging.letterbox`.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edgeagent.bundle.manifest import InputSpec
from edgeagent.engines.engine import Array, TensorSpec
from edgeagent.imaging.frame import Image
from edgeagent.imaging.letterbox import Fit, fit_size
from edgeagent.vision.detections import Detections


def fit_picture(source: tuple[int, int], spec: InputSpec) -> Fit:
    """Return how a picture of (height, width) is fitted into the input that a manifest describes."""
    anchor = None if spec.letterbox is None else spec.letterbox.anchor
    return fit_size(source, (spec.height, spec.width), anchor)


def to_picture(detections: Detections, fit: Fit) -> Detections:
    """Move detections from input pixels to pixels of the picture; those outside it are dropped."""
    if not len(detections):
        return detections
    boxes, inside = fit.to_source(detections.boxes)
    moved = Detections(boxes, detections.scores, detections.classes, detections.labels)
    return moved if inside.all() else moved.take(inside)


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
