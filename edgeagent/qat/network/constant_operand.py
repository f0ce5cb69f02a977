"""A constant operand of a sum or product, in both modes of the network."""

from __future__ import annotations

import torch
from torch import Tensor

from edgeagent.qat.network.fake_quantize import _Switchable
from edgeagent.qat.network.kernels import LEVELS


class ConstantOperand(_Switchable):
    """Gives a constant: as it is in float, rounded to its grid when quantizing.

    Args:
        value: of any shape, float32.
        grid: (scale, zero point) of its grid, None where it stays float.
    """

    real: Tensor
    quantized: Tensor

    def __init__(self, value: Tensor, grid: tuple[float, int] | None) -> None:
        super().__init__()
        self.register_buffer("real", value, persistent=False)
        self.register_buffer("quantized", value if grid is None else rounded(value, *grid), persistent=False)

    def forward(self) -> Tensor:
        """Return the constant."""
        return self.real if self.mode == "float" else self.quantized


def rounded(value: Tensor, scale: float, zero_point: int) -> Tensor:
    """Return a tensor on a grid of codes 0..255."""
    codes = torch.round(value / scale + zero_point).clamp(0, LEVELS - 1)
    return (codes - zero_point) * scale
