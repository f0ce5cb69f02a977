"""Preprocessing of pictures into the engine's input buffer, and conversion of detections back to the picture.

The scaled picture (bilinear) is written directly into the input buffer; the rest is padding. The letterbox
arithmetic is in :mod:`edgeagent.imaging.letterbox`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edgeagent.bundle.manifest import InputSpec
from edgeagent.engines.engine import Array, TensorSpec
from edgeagent.imaging.exact_scaling import scale_exactly
from edgeagent.imaging.frame import Image
from edgeagent.imaging.letterbox import Fit, fit_size
from edgeagent.vision.detections import Detections


def fit_picture(source: tuple[int, int], spec: InputSpec) -> Fit:
    """Return the placement of a picture of size (height, width) in the input of a manifest."""
    anchor = None if spec.letterbox is None else spec.letterbox.anchor
    return fit_size(source, (spec.height, spec.width), anchor)


def to_picture(detections: Detections, fit: Fit) -> Detections:
    """Convert detections from input pixels to picture pixels; those outside the picture are dropped."""
    if detections.class_map is not None:
        return replace(detections, class_map=detections.class_map.placed(fit))
    if not len(detections):
        return detections
    boxes, inside = fit.to_source(detections.boxes)
    placed = zip(detections.masks, boxes.tolist(), strict=bool(detections.masks))
    masks = tuple(mask.placed(fit, (x1, y1, x2, y2)) for mask, (x1, y1, x2, y2) in placed)
    moved = replace(detections, boxes=boxes, masks=masks)
    return moved if inside.all() else moved.take(inside)


class Preprocessor:
    """Writer of pictures into input buffers.

    A uint8 NHWC buffer of plain pixels is written in place by one resize. All other buffers need one scratch
    picture and one table look-up.

    Args:
        spec: input specification of the manifest.
        tensor: input tensor of the engine.
        exact: scale with the same result on every machine, slowly, for comparison with reference outputs
            (:mod:`edgeagent.imaging.exact_scaling`).
    """

    def __init__(self, spec: InputSpec, tensor: TensorSpec, *, exact: bool = False) -> None:
        self._spec, self._exact = spec, exact
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
        """Write a picture into a buffer.

        Args:
            picture: (h, w, 3) uint8, BGR.
            buffer: array of the tensor's shape and dtype; overwritten completely, including the padding.

        Returns:
            The placement of the picture in the buffer.
        """
        fit = self._fit(picture.shape[0], picture.shape[1])
        canvas: Image = buffer[0] if self._scratch is None else self._scratch
        (top, left), (height, width) = fit.offset, fit.size
        rows = canvas[top : top + height]
        region = rows[:, left : left + width]
        if self._spec.letterbox:
            for padding in (canvas[:top], canvas[top + height :], rows[:, :left], rows[:, left + width :]):
                padding[...] = self._spec.letterbox.pad
        if self._exact:
            region[...] = scale_exactly(picture, (width, height))
        else:
            cv2.resize(picture, (width, height), dst=region, interpolation=cv2.INTER_LINEAR)
        if self._spec.colour == "rgb":
            cv2.cvtColor(region, cv2.COLOR_BGR2RGB, dst=region)
        if self._scratch is not None:
            self._convert(self._scratch, buffer)
        return fit

    def _fit(self, height: int, width: int) -> Fit:
        source = (height, width)
        if source not in self._fits:
            self._fits.clear()  # sizes change rarely; bounds the memory for hostile streams
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
    """Return the look-up table (256, 3) from pixel values to tensor values, in the tensor's dtype.

    Float tensors take (pixel - mean) / std; integer tensors take its code on their quantization grid. An
    integer tensor without a grid takes the pixel value, minus 128 for int8.
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
