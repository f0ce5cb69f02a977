"""Fake-quantization as modules: rounding in the forward pass, float gradients in the backward pass.

The arithmetic is in :mod:`edgeagent.qat.network.kernels`; here are the grids that are learned, the
modules that put activations on them, and the convolution whose weight has a grid of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgeagent.qat.network.kernels import HIGHEST, LEVELS, Kernels

WEIGHT_HIGHEST = 127
SYMMETRIC_ZERO = LEVELS // 2


def fake_quantize_weight(weight: Tensor) -> Tensor:
    """Put a convolution's weight (out, in, kh, kw) on its per-channel symmetric grid.

    The scale is absmax/127 of each output channel, derived anew at every step, so that an exporter
    which sees only the weights finds the same grid.
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

    Attributes:
        log_scale: natural logarithm of the scale, a scalar parameter.
        zero_point: code of real 0 as a float scalar parameter, rounded where it is used.
        symmetric: whether code 128 always means real 0 (int8 without a zero point).
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
        """Choose the grid that covers [low, high] and 0.

        A non-negative range gets zero point 0, unless the grid is symmetric.
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
        """Return (scale float32, zero point 0..255) as the artefact will carry them."""
        return np.float32(self.log_scale.exp().item()), int(self.zero_point.clamp(0, HIGHEST).round().item())


class _Switchable(nn.Module):
    """Base of the modules that the network switches between its modes."""

    mode = "float"
    stays_float = False
    observe: Callable[[int, Tensor], Any] | None = None

    def switch(self, mode: str) -> None:
        """Compute in a mode, ``float`` or ``quantize``, unless the module is to stay float."""
        self.mode = "float" if self.stays_float else mode


class FakeQuantize(_Switchable):
    """Fake-quantizes one tensor."""

    def __init__(self, index: int, grid: ActivationGrid, kernels: Kernels) -> None:
        super().__init__()
        self.index, self.grid, self._kernels = index, grid, kernels

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` unchanged (float), reported (observe) or on its grid (quantize)."""
        if self.observe is not None:
            self.observe(self.index, x)
        if self.mode == "float":
            return x
        return self._kernels.fake_quantize(x, self.grid.log_scale, self.grid.zero_point)


class FakeQuantizeSilu(_Switchable):
    """SiLU whose input, gate and output are fake-quantized in one pass."""

    def __init__(
        self, x_index: int, x_grid: ActivationGrid, y_index: int, y_grid: ActivationGrid, kernels: Kernels
    ) -> None:
        super().__init__()
        self.x_index, self.x_grid, self.y_index, self.y_grid = x_index, x_grid, y_index, y_grid
        self._kernels = kernels

    def forward(self, x: Tensor) -> Tensor:
        """Return SiLU of ``x``, in the network's mode."""
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


class Convolution(_Switchable):
    """A convolution of the graph with its weight fake-quantized per output channel.

    Folded batch normalization leaves channels whose weights differ in size by five orders of magnitude,
    and Adam moves every parameter by about its rate. So the parameters are the weights as shares of their
    channel's first absmax, and the biases as shares of the layer's first absmax: one rate, counted in
    codes of the grid, then suits all.

    Artefacts hold biases as int32 codes of input scale times weight scale. Where a weight is large and its
    output's grid fine, that rounding is felt, so a convolution that knows its input's grid rounds its bias.
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
        self._input_grid: tuple[ActivationGrid, ...] = ()  # in a tuple: it is no part of this module

    def read_from(self, grid: ActivationGrid) -> None:
        """Round the bias for an input on this grid."""
        self._input_grid = (grid,)

    def weight(self) -> Tensor:
        """Return the real weight (out, in, kh, kw), not quantized."""
        return self.weight_share * self.weight_gain

    def bias(self) -> Tensor | None:
        """Return the real bias (out,), not quantized."""
        return None if self.bias_share is None else self.bias_share * self.bias_gain

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (batch, in, h, w)."""
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
    """Convolve (batch, in, h, w) with pads (top, left, bottom, right), as ONNX counts them."""
    top, left, bottom, right = pads
    if (top, left) == (bottom, right):
        return nn.functional.conv2d(x, weight, bias, padding=(top, left), **options)
    return nn.functional.conv2d(nn.functional.pad(x, (left, right, top, bottom)), weight, bias, **options)
