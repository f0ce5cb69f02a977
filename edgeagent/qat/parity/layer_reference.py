"""Layer reference: the codes of the trained network at every quantized tensor."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, fx, nn

from edgeagent.qat.core.codes import HIGHEST
from edgeagent.qat.graph.node import Node
from edgeagent.qat.network.fake_quantize import ActivationGrid, ConstantOperand, FakeQuantize
from edgeagent.qat.network.kernels import Kernels
from edgeagent.qat.network.network import Builder, Network
from edgeagent.qat.parity.instrumented_model import QuantizedTensor

Codes = npt.NDArray[np.uint8]


class LayerReference:
    """Trained network with every operator separate, for the codes of all quantized tensors.

    The trained network computes ``x * sigmoid(x)`` in one pass; here its three tensors are separate, as in an
    artefact, with the same values.

    Args:
        network: trained network.
    """

    def __init__(self, network: Network) -> None:
        plain = copy.copy(network)
        plain.plan = replace(network.plan, silu={})
        plain.set_mode("quantize")
        recorder = _Recorder(plain)
        self._network, self._calls = plain, recorder.build()
        self._names = {value.name: tensor for tensor, value in recorder.values().items()}

    def quantized(self, codes: Mapping[str, Codes]) -> dict[str, QuantizedTensor]:
        """Return the shape and grid of each tensor from :meth:`codes`, in the same order."""
        return {name: QuantizedTensor(name, array.shape, *self.grid(name)) for name, array in codes.items()}

    def operator(self, tensor: str) -> str:
        """Return the operator that computes a tensor, with its fused clamp; empty for the input."""
        nodes = {name: node for node in self._network.graph.nodes for name in node.outputs}
        node = nodes.get(tensor)
        if node is None:
            return ""
        unclamped = node.inputs[0] not in self._network.plan.of and node.inputs[0] in nodes
        return f"{nodes[node.inputs[0]].operator} {node.operator}" if unclamped else node.operator

    def grid(self, tensor: str) -> tuple[float, int]:
        """Return (scale, zero point 0..255) of a quantized tensor."""
        grid = cast(ActivationGrid, self._network.grids[self._network.plan.of[tensor]])
        scale, zero_point = grid.quantization()
        return float(scale), zero_point

    @torch.no_grad()
    def codes(self, picture: Tensor) -> dict[str, Codes]:
        """Return the codes 0..255 of all quantized tensors, from the input to the heads.

        Args:
            picture: (1, 3, h, w) float32, normalized for the network.
        """
        watched = _Watch(self._calls)
        watched.run(picture)
        found = {}
        for name, value in watched.seen.items():
            tensor = self._names.get(name)
            if tensor is not None and tensor in self._network.plan.of:
                scale, zero_point = self.grid(tensor)
                codes = torch.round(value / scale + zero_point).clamp(0, HIGHEST)
                found[tensor] = codes.to(torch.uint8).numpy()
        return found


class _Recorder(Builder):
    def values(self) -> dict[str, fx.Node]:
        """Return the call that computes each tensor."""
        return self._values

    def quantizer(self, index: int) -> nn.Module:
        module = FakeQuantize(index, self.grid(index), Kernels(compiled=False))
        module.mode = "quantize"
        return module

    def silu(self, x: int, y: int) -> nn.Module:
        raise NotImplementedError("the plan of the recorder has no SiLU")

    def convolution(self, node: Node) -> nn.Module:
        return self._network.convolution(node)

    def constant(self, value: Tensor, index: int | None) -> nn.Module:
        module = ConstantOperand(value, None if index is None else self._network.plan.grids[index].fixed)
        module.mode = "quantize"
        return module


class _Watch(fx.Interpreter):
    """Interpreter that records the tensors returned by calls."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.seen: dict[str, Tensor] = {}

    def run_node(self, n: fx.Node) -> object:
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.seen[n.name] = value
        return value
