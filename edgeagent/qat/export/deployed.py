"""Deployed form of a trained network, for converters: real quantize and dequantize operators.

Fake-quantization is replaced by pairs of ``quantized_decomposed`` operators with the trained grids, int8 as
in TFLite (codes minus 128), and weights and biases are rounded as they are stored in an artefact. The outputs
equal those of the fake-quantized network.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.ao.quantization.fx._decomposed  # registers the operators
from torch import Tensor, fx, nn

from edgeagent.qat.core.codes import LEVELS, WEIGHT_HIGHEST
from edgeagent.qat.graph.clamps import is_redundant_clamp
from edgeagent.qat.graph.node import Node
from edgeagent.qat.network.fake_quantize import ActivationGrid, Convolution, convolve, weight_scale
from edgeagent.qat.network.network import Builder, Network

INT8_LOWEST, INT8_HIGHEST = -128, 127
_OPERATORS = torch.ops.quantized_decomposed


def build_deployed(network: Network) -> fx.GraphModule:
    """Return the deployed form of a trained network, from real (1, 3, h, w) to real head tensors."""
    module = _Deployed(network).build()
    module.eval()
    return module


class _Deployed(Builder):
    quantizes_moves = True

    def quantizer(self, index: int) -> nn.Module:
        return _Quantizer(*self.grid(index).quantization())

    def requantizer(self, index: int) -> nn.Module:
        return _Requantizer(self.quantizer(index))

    def silu(self, x: int, y: int) -> nn.Module:
        return _Silu(self.grid(x), self.grid(y))

    def leaves_out(self, node: Node) -> bool:
        index = self._network.plan.of.get(node.outputs[0])
        if index is None or node.inputs[0] in self._network.plan.of:
            return False
        scale, zero_point = self.grid(index).quantization()
        return is_redundant_clamp(node, self._network.graph.constants, float(scale), zero_point)

    def convolution(self, node: Node) -> nn.Module:
        if node.name in self._network.plan.float_nodes:
            return _FloatConvolution(self._network.convolution(node))
        input_scale, _ = self.grid(self._network.plan.of[node.inputs[0]]).quantization()
        return _IntegerConvolution(self._network.convolution(node), input_scale)

    def constant(self, value: Tensor, index: int | None) -> nn.Module:
        return _Constant(value, None if index is None else self.quantizer(index))


class _Constant(nn.Module):
    value: Tensor

    def __init__(self, value: Tensor, quantizer: nn.Module | None) -> None:
        super().__init__()
        self.register_buffer("value", value)
        self._quantizer = quantizer

    def forward(self) -> Tensor:
        if self._quantizer is None:
            return self.value
        real: Tensor = self._quantizer(self.value)
        return real


class _Quantizer(nn.Module):
    """Quantize and dequantize operators of a grid; ``zero_point`` counts codes from 0."""

    def __init__(self, scale: np.float32, zero_point: int) -> None:
        super().__init__()
        self._grid = (float(scale), zero_point + INT8_LOWEST, INT8_LOWEST, INT8_HIGHEST, torch.int8)

    def forward(self, x: Tensor) -> Tensor:
        codes = _OPERATORS.quantize_per_tensor(x, *self._grid)
        real: Tensor = _OPERATORS.dequantize_per_tensor(codes, *self._grid)
        return real


class _Requantizer(nn.Module):
    """Change of grid by a product with 1, since a converter drops one of two consecutive quantizers."""

    one: Tensor

    def __init__(self, quantizer: nn.Module) -> None:
        super().__init__()
        self.register_buffer("one", torch.ones(1, 1, 1, 1))
        self._of_one = _Quantizer(np.float32(1 / (LEVELS - 1)), 0)
        self._quantizer = quantizer

    def forward(self, x: Tensor) -> Tensor:
        real: Tensor = self._quantizer(x * self._of_one(self.one))
        return real


class _Silu(nn.Module):
    def __init__(self, x: ActivationGrid, y: ActivationGrid) -> None:
        super().__init__()
        self._x, self._y = _Quantizer(*x.quantization()), _Quantizer(*y.quantization())
        self._gate = _Quantizer(np.float32(1 / LEVELS), 0)

    def forward(self, x: Tensor) -> Tensor:
        x = self._x(x)
        product: Tensor = self._y(x * self._gate(torch.sigmoid(x)))
        return product


class _FloatConvolution(nn.Module):
    weight: Tensor
    bias: Tensor | None

    def __init__(self, trained: Convolution) -> None:
        super().__init__()
        bias = trained.bias()
        self.register_buffer("weight", trained.weight().detach().contiguous())
        self.register_buffer("bias", None if bias is None else bias.detach())
        self._pads, self._options = trained.pads, trained.options

    def forward(self, x: Tensor) -> Tensor:
        return convolve(x, self.weight, self.bias, self._pads, self._options)


class _IntegerConvolution(nn.Module):
    weight: Tensor
    scale: Tensor
    zero: Tensor
    bias: Tensor | None

    def __init__(self, trained: Convolution, input_scale: np.float32) -> None:
        super().__init__()
        # weights are trained channels last; litert-torch reads their memory as contiguous
        weight, bias = trained.weight().detach().contiguous(), trained.bias()
        self.register_buffer("weight", weight)
        self.register_buffer("scale", weight_scale(weight))
        self.register_buffer("zero", torch.zeros(len(weight), dtype=torch.int64))
        self.register_buffer("bias", None if bias is None else _rounded(bias, self.scale, input_scale))
        self._pads, self._options = trained.pads, trained.options

    def forward(self, x: Tensor) -> Tensor:
        grid = (self.scale, self.zero, 0, -WEIGHT_HIGHEST, WEIGHT_HIGHEST, torch.int8)
        codes = _OPERATORS.quantize_per_channel(self.weight, *grid)
        weight = _OPERATORS.dequantize_per_channel(codes, *grid)
        return convolve(x, weight, self.bias, self._pads, self._options)


def _rounded(bias: Tensor, weight_scale: Tensor, input_scale: np.float32) -> Tensor:
    """Return the bias rounded to int32 codes of input scale times weight scale."""
    step = weight_scale.double() * float(input_scale)
    return (torch.round(bias.detach().double() / step) * step).float()
