"""Modules of fake-quantization: rounding in the forward pass, float gradients in the backward pass.

The arithmetic is in :mod:`edgeagent.qat.network.kernels`. This module has the learned grids, the modules that
quantize activations and constants, and the convolution with a quantized weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgeagent.qat.core.codes import HIGHEST, SYMMETRIC_ZERO, WEIGHT_HIGHEST
from edgeagent.qat.network.kernels import Kernels


def fake_quantize_weight(weight: Tensor) -> Tensor:
    """Return a weight (out, in, kh, kw) rounded to its per-channel symmetric grid; differentiable.

    The scale is absmax/127 of each output channel, computed from the weight at every step, so that an
    exporter derives the same grid from the weight alone.
    """
    scale = weight_scale(weight)
    zero = torch.zeros(len(weight), dtype=torch.int32, device=weight.device)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -WEIGHT_HIGHEST - 1, WEIGHT_HIGHEST)


def weight_scale(weight: Tensor) -> Tensor:
    """Return absmax/127 of each output channel, float32 (out,); 1 for a channel of zeros."""
    absmax = weight.detach().flatten(1).abs().amax(1)
    return torch.where(absmax > 0, absmax / WEIGHT_HIGHEST, torch.ones_like(absmax))


class ActivationGrid(nn.Module):
    """Learned scale and zero point of one grid.

    Args:
        fixed: (scale, zero point 0..255) of a grid that is not learned; None for a learned one.
        symmetric: whether the zero point is always 128.

    Attributes:
        log_scale: natural logarithm of the scale, a scalar parameter.
        zero_point: code of real 0, a float scalar parameter, rounded in use.
        fixed: whether the grid is not learned.
        symmetric: whether code 128 is always real 0 (int8 without a zero point).
    """

    def __init__(self, fixed: tuple[float, int] | None, symmetric: bool = False) -> None:
        super().__init__()
        scale, zero_point = fixed or (1.0, SYMMETRIC_ZERO if symmetric else 0)
        learned = fixed is None
        self.fixed, self.symmetric = fixed is not None, symmetric
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)), requires_grad=learned)
        self.zero_point = nn.Parameter(
            torch.tensor(float(zero_point)), requires_grad=learned and not symmetric
        )

    def set_range(self, low: float, high: float) -> None:
        """Set the grid to cover [low, high] and 0.

        The zero point of a non-negative range is 0, unless the grid is symmetric.
        """
        if self.symmetric:
            scale = max(-low, high, 1e-6) / WEIGHT_HIGHEST
            with torch.no_grad():
                self.log_scale.fill_(math.log(scale))
            return
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max(high - low, 1e-6) / HIGHEST
        with torch.no_grad():
            self.log_scale.fill_(math.log(scale))
            self.zero_point.fill_(round(-low / scale))
        self.zero_point.requires_grad_(bool(low < 0))

    def quantization(self) -> tuple[np.float32, int]:
        """Return (scale float32, zero point 0..255) as exported."""
        return np.float32(self.log_scale.exp().item()), int(self.zero_point.clamp(0, HIGHEST).round().item())


class SwitchableModule(nn.Module):
    """Base of the modules with the modes ``float`` and ``quantize``.

    Attributes:
        mode: present mode.
        stays_float: whether the module ignores ``quantize``.
        observe: called with (position of the grid, tensor before quantization); None for no observer.
    """

    mode = "float"
    stays_float = False
    observe: Callable[[int, Tensor], Any] | None = None

    def switch(self, mode: str) -> None:
        """Set the mode, ``float`` or ``quantize``; a module that stays float ignores it."""
        self.mode = "float" if self.stays_float else mode


class ConstantOperand(SwitchableModule):
    """Constant operand of a sum or product: unchanged in float, on its grid when quantizing.

    Args:
        value: float32 of any shape.
        grid: (scale, zero point 0..255); None if the constant stays float.
    """

    real: Tensor
    quantized: Tensor

    def __init__(self, value: Tensor, grid: tuple[float, int] | None) -> None:
        super().__init__()
        self.register_buffer("real", value, persistent=False)
        self.register_buffer("quantized", value if grid is None else rounded(value, *grid), persistent=False)

    def forward(self) -> Tensor:
        """Return the constant, in the module's mode."""
        return self.real if self.mode == "float" else self.quantized


def rounded(value: Tensor, scale: float, zero_point: int) -> Tensor:
    """Return a tensor rounded to a grid with codes 0..255."""
    codes = torch.round(value / scale + zero_point).clamp(0, HIGHEST)
    return (codes - zero_point) * scale


class FakeQuantize(SwitchableModule):
    """Fake-quantization of one tensor.

    Args:
        index: position of the grid in the plan.
        grid: grid of the tensor.
        kernels: arithmetic.
    """

    def __init__(self, index: int, grid: ActivationGrid, kernels: Kernels) -> None:
        super().__init__()
        self.index, self.grid, self._kernels = index, grid, kernels

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` unchanged (float) or on its grid (quantize), after reporting it to the observer."""
        if self.observe is not None:
            x = x.view_as(x)  # its gradient is that of the readers on the grid alone, not of fused ones
            self.observe(self.index, x)
        if self.mode == "float":
            return x
        return self._kernels.fake_quantize(x, self.grid.log_scale, self.grid.zero_point)


class FakeQuantizeSilu(SwitchableModule):
    """SiLU with fake-quantized input, gate and output, in one pass.

    Args:
        x_index: position of the input's grid in the plan.
        x_grid: grid of the input.
        y_index: position of the output's grid in the plan.
        y_grid: grid of the output.
        kernels: arithmetic.
    """

    def __init__(
        self, x_index: int, x_grid: ActivationGrid, y_index: int, y_grid: ActivationGrid, kernels: Kernels
    ) -> None:
        super().__init__()
        self.x_index, self.x_grid, self.y_index, self.y_grid = x_index, x_grid, y_index, y_grid
        self._kernels = kernels

    def forward(self, x: Tensor) -> Tensor:
        """Return SiLU of ``x``, in the module's mode."""
        if self.mode == "float":
            y = nn.functional.silu(x)
        else:
            x_grid, y_grid = self.x_grid, self.y_grid
            y = self._kernels.silu(
                x, x_grid.log_scale, x_grid.zero_point, y_grid.log_scale, y_grid.zero_point
            )
        if self.observe is not None:
            self.observe(self.x_index, x)
            self.observe(self.y_index, y)
        return y


class Convolution(SwitchableModule):
    """Convolution of the graph, with its weight fake-quantized per output channel.

    Folded batch normalization leaves channels whose weights differ by five orders of magnitude, and Adam
    moves every parameter by about its rate. The parameters are therefore the weights divided by their
    channel's initial absmax, and the biases divided by the layer's initial absmax: one learning rate, in
    codes of the grid, suits all.

    Artefacts store biases as int32 codes of input scale times weight scale. That rounding matters where a
    weight is large and the grid of the output fine, so a convolution with a known input grid rounds its
    bias.

    Args:
        weight: initial weight (out, in, kh, kw) float32.
        bias: initial bias (out,) float32, or None.
        options: stride, dilation, groups and pads (top, left, bottom, right).
    """

    weight_gain: Tensor
    bias_gain: Tensor

    def __init__(self, weight: Tensor, bias: Tensor | None, options: dict[str, Any]) -> None:
        super().__init__()
        gain = weight_scale(weight).reshape(-1, *[1] * (weight.ndim - 1)) * WEIGHT_HIGHEST
        self.register_buffer("weight_gain", gain)
        self.weight_share = nn.Parameter(weight / gain)
        if bias is None:
            self.bias_share = None
        else:
            self.register_buffer("bias_gain", bias.abs().amax().clamp(min=1e-6))
            self.bias_share = nn.Parameter(bias / self.bias_gain)
        self.pads = options.pop("pads")
        self.options = options
        self._input_grid: tuple[
            ActivationGrid, ...
        ] = ()  # a tuple, so that torch does not register it as a submodule

    def read_from(self, grid: ActivationGrid) -> None:
        """Set the grid of the input, for the rounding of the bias."""
        self._input_grid = (grid,)

    def weight(self) -> Tensor:
        """Return the real weight (out, in, kh, kw), not quantized."""
        return self.weight_share * self.weight_gain

    def bias(self) -> Tensor | None:
        """Return the real bias (out,), not quantized."""
        return None if self.bias_share is None else self.bias_share * self.bias_gain

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of (batch, in, h, w), in the module's mode."""
        if self.mode == "float":
            return convolve(x, self.weight(), self.bias(), self.pads, self.options)
        weight = self.weight()
        bias = self._rounded_bias(weight_scale(weight))
        return convolve(x, fake_quantize_weight(weight), bias, self.pads, self.options)

    def _rounded_bias(self, scale: Tensor) -> Tensor | None:
        bias = self.bias()
        if bias is None or not self._input_grid:
            return bias
        step = scale * self._input_grid[0].log_scale.detach().exp()
        return bias + (torch.round(bias / step) * step - bias).detach()


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, pads: tuple[int, int, int, int], options: dict[str, Any]
) -> Tensor:
    """Return the convolution of (batch, in, h, w), with pads (top, left, bottom, right) as in ONNX."""
    top, left, bottom, right = pads
    if (top, left) == (bottom, right):
        return nn.functional.conv2d(x, weight, bias, padding=(top, left), **options)
    return nn.functional.conv2d(nn.functional.pad(x, (left, right, top, bottom)), weight, bias, **options)
