"""Raw head tensors of anchor-free detectors, whatever their layout and grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeagent.bundle.manifest import OutputSpec
from edgeagent.engines.engine import Array, TensorSpec

FloatArray = npt.NDArray[np.float32]
Cells = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class HeadTensor:
    """One raw output as rows of cells.

    Attributes:
        position: in the engine's outputs.
        tensor: its specification.
        first: whether channels come first.
    """

    position: int
    tensor: TensorSpec
    first: bool

    def cells(self, outputs: Sequence[Array]) -> Array:
        """Return a view (cells, channels) of this head's codes, cells in row order."""
        output: Array = outputs[self.position][0]
        return output.reshape(output.shape[0], -1).T if self.first else output.reshape(-1, output.shape[-1])

    def real(self, codes: Array) -> FloatArray:
        """Return real numbers for codes of this head."""
        return self.tensor.dequantize(codes)

    def code(self, real: float) -> float:
        """Return the least code whose real number is at least ``real``."""
        if self.tensor.scale is None:
            return real
        return float(np.ceil(real / self.tensor.scale + self.tensor.zero_point))


@dataclass(frozen=True, slots=True)
class HeadScale:
    """The heads of one stride, by role, and the grid of their cells.

    Attributes:
        stride: input pixels per cell.
        heads: by role.
        grid: (cells, 2) float32, column and row of each cell.
    """

    stride: int
    heads: dict[str, HeadTensor]
    grid: FloatArray


def find_scales(
    tensors: Sequence[TensorSpec], outputs: Sequence[OutputSpec], input_size: tuple[int, int]
) -> list[HeadScale]:
    """Group raw outputs by stride, finest first.

    Args:
        tensors: the engine's outputs, (1, channels, h, w) or (1, h, w, channels), all alike.
        outputs: their roles and strides.
        input_size: (width, height) of the input in pixels.
    """
    width, height = input_size
    first = all(
        tensor.shape[2:] == (height // item.stride, width // item.stride)
        for tensor, item in zip(tensors, outputs, strict=True)
    )
    return [
        HeadScale(
            stride,
            {
                item.role: HeadTensor(position, tensors[position], first)
                for position, item in enumerate(outputs)
                if item.stride == stride
            },
            cell_grid(height // stride, width // stride),
        )
        for stride in sorted({item.stride for item in outputs})
    ]


def cell_grid(rows: int, columns: int) -> FloatArray:
    """Return (rows * columns, 2) float32: column and row of each cell, in row order."""
    row, column = np.indices((rows, columns), np.float32)
    return np.stack([column.ravel(), row.ravel()], axis=1)


def sigmoid(x: FloatArray) -> FloatArray:
    """Return 1 / (1 + exp(-x)), without overflow."""
    half = np.float32(0.5)
    result: FloatArray = half * np.tanh(half * x) + half
    return result


def logit(probability: float) -> float:
    """Return the number whose sigmoid is ``probability``; infinite at 0 and 1."""
    with np.errstate(divide="ignore"):
        return float(np.log(probability) - np.log1p(-probability))
