"""Raw head tensors of detectors, in any layout and quantization grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeagent.bundle.cells import cells_along
from edgeagent.bundle.manifest import OutputSpec
from edgeagent.engines.engine import Array, TensorSpec
from edgeagent.engines.mask_check import PROTOTYPES

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HeadTensor:
    """One raw output as rows of cells.

    Attributes:
        position: index in the engine's outputs.
        tensor: tensor specification.
        channels_first: whether the layout is NCHW.
    """

    position: int
    tensor: TensorSpec
    channels_first: bool

    def cells(self, outputs: Sequence[Array]) -> Array:
        """Return a view (cells, channels) of this head's codes, cells in row-major order."""
        output: Array = outputs[self.position][0]
        if self.channels_first:
            output = output.reshape(output.shape[0], -1).T
        else:
            output = output.reshape(-1, output.shape[-1])
        return output

    def real(self, codes: Array) -> FloatArray:
        """Return the real numbers (float32) of codes of this head."""
        return self.tensor.dequantize(codes)

    def code(self, real: float) -> float:
        """Return the lowest code whose real number is at least ``real``."""
        if self.tensor.scale is None:
            return real
        return float(np.ceil(real / self.tensor.scale + self.tensor.zero_point))


@dataclass(frozen=True, slots=True)
class HeadScale:
    """Heads of one stride with the grid of their cells.

    Attributes:
        stride: input pixels per cell.
        heads: head tensors by role.
        grid: (cells, 2) float32, column and row of each cell.
    """

    stride: int
    heads: dict[str, HeadTensor]
    grid: FloatArray

    def coefficients(self, outputs: Sequence[Array], cells: npt.NDArray[np.intp]) -> FloatArray | None:
        """Return the mask coefficients (n, K) float32 of n cells; None for a model without masks."""
        mask = self.heads.get("mask")
        return None if mask is None else mask.real(mask.cells(outputs)[cells])


def find_scales(
    tensors: Sequence[TensorSpec], outputs: Sequence[OutputSpec], input_size: tuple[int, int]
) -> list[HeadScale]:
    """Group raw outputs by stride, finest scale first; prototypes are of no scale.

    Args:
        tensors: output tensors of the engine, all (1, channels, h, w) or all (1, h, w, channels).
        outputs: their roles and strides.
        input_size: (width, height) of the input in pixels.
    """
    width, height = input_size
    channels_first = are_channels_first(tensors, outputs, input_size)
    return [
        HeadScale(
            stride,
            {
                item.role: HeadTensor(position, tensors[position], channels_first)
                for position, item in enumerate(outputs)
                if item.stride == stride and item.role != PROTOTYPES
            },
            cell_grid(cells_along(height, stride), cells_along(width, stride)),
        )
        for stride in sorted({item.stride for item in outputs if item.role != PROTOTYPES})
    ]


def are_channels_first(
    tensors: Sequence[TensorSpec], outputs: Sequence[OutputSpec], input_size: tuple[int, int]
) -> bool:
    """Return whether raw outputs are (1, channels, h, w); arguments as :func:`find_scales`."""
    width, height = input_size
    return all(
        tensor.shape[2:] == (cells_along(height, item.stride), cells_along(width, item.stride))
        for tensor, item in zip(tensors, outputs, strict=True)
    )


def cell_grid(rows: int, columns: int) -> FloatArray:
    """Return (rows * columns, 2) float32: column and row of each cell, in row-major order."""
    row, column = np.indices((rows, columns), np.float32)
    return np.stack([column.ravel(), row.ravel()], axis=1)


def sigmoid(x: FloatArray) -> FloatArray:
    """Return 1 / (1 + exp(-x)) without overflow, float32."""
    half = np.float32(0.5)
    result: FloatArray = half * np.tanh(half * x) + half
    return result


def logit(probability: float) -> float:
    """Return the inverse of the sigmoid; infinite at 0 and 1."""
    with np.errstate(divide="ignore"):
        return float(np.log(probability) - np.log1p(-probability))
