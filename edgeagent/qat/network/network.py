"""The ONNX graph as a torch module.

:func:`build_network` turns the nodes into a :class:`torch.fx.GraphModule`, one call after another and
without an interpreter, with a fake-quantizer behind every operator that computes. The same module
runs in float (the teacher, the reference), observes (calibration) or fake-quantizes (training).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from operator import getitem
from typing import Any, Literal, cast

import torch
from torch import Tensor, fx, nn

from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.node import Node, module_name
from edgeagent.qat.graph.operators import build_function, convolution_options, operands
from edgeagent.qat.grid.affine import GridPlan, keeps_codes
from edgeagent.qat.network.constant_operand import ConstantOperand
from edgeagent.qat.network.fake_quantize import (
    ActivationGrid,
    Convolution,
    FakeQuantize,
    FakeQuantizeSilu,
    _Switchable,
)
from edgeagent.qat.network.kernels import Kernels

Mode = Literal["float", "quantize"]
JOINTS = frozenset({"Add", "Concat"})


class Network(nn.Module):
    """The trainable graph.

    Attributes:
        graph: what it was built from.
        plan: its grids.
        grids: learned scale and zero point of each grid of the plan.
        convolutions: by node name.
        features: tensors where branches of the graph meet, which a student can be held to.
        body: the traced graph, from (batch, 3, h, w) float32 to the head tensors and the features.
    """

    def __init__(self, graph: Graph, plan: GridPlan, compiled: bool = False) -> None:
        super().__init__()
        self.graph, self.plan = graph, plan
        kernels = Kernels(compiled)
        self.compiled = kernels.compiled
        self.grids = nn.ModuleList(ActivationGrid(grid.fixed, grid.symmetric) for grid in plan.grids)
        self.convolutions = nn.ModuleDict()
        self.features = tuple(node.outputs[0] for node in graph.nodes if node.operator in JOINTS)
        self.body = _Training(self, kernels).build()

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Return the head tensors, each (batch, channels, h, w), for pictures (batch, 3, h, w)."""
        heads, _ = self.body(pictures)
        return cast("tuple[Tensor, ...]", heads)

    def heads_and_features(self, pictures: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return the head tensors, and :attr:`features` in their order, each (batch, channels, h, w)."""
        return cast("tuple[tuple[Tensor, ...], tuple[Tensor, ...]]", self.body(pictures))

    def convolution(self, node: Node) -> Convolution:
        """Return the module of a Conv node of the graph."""
        return cast(Convolution, self.convolutions[module_name(node.name)])

    def set_mode(self, mode: Mode) -> None:
        """Run in float, or with weights and activations fake-quantized."""
        for module in self._switchable():
            module.switch(mode)

    def set_observer(self, observe: Callable[[int, Tensor], None] | None) -> None:
        """Report every quantized tensor, before its quantization, as (position of its grid, tensor)."""
        for module in self._switchable():
            module.observe = observe

    def _switchable(self) -> list[_Switchable]:
        return [module for module in self.body.modules() if isinstance(module, _Switchable)]


class Builder(ABC):
    """Emits one fx call per node of a network's graph; which modules compute is the choice of a subclass.

    Attributes:
        quantizes_moves: whether a tensor whose values were only moved passes a quantizer again, which
            changes nothing but tells a converter its grid.
    """

    quantizes_moves = False

    def __init__(self, network: Network) -> None:
        self._network = network
        self._calls = fx.Graph()
        self._modules = nn.ModuleDict()
        self._values: dict[str, fx.Node] = {}
        self._reals: dict[str, fx.Node] = {}  # values before their quantization

    def build(self) -> fx.GraphModule:
        """Return the module, from (batch, 3, h, w) float32 to the head tensors."""
        graph, plan = self._network.graph, self._network.plan
        self._values[graph.input] = self._quantized(graph.input, self._calls.placeholder("pictures"))
        silu_products = {node.outputs[0] for node in plan.silu.values()}
        silu_gates = {name for node in plan.silu.values() for name in node.inputs} - set(plan.silu)
        for node in graph.nodes:
            if node.outputs[0] in silu_products or node.outputs[0] in silu_gates:
                continue  # computed where x is
            self._emit(node)
        self._calls.output(self.outputs(tuple(self._values[head.tensor] for head in graph.heads)))
        return fx.GraphModule(self._modules, self._calls)

    def _emit(self, node: Node) -> None:
        values = [self._operand(node, name) for name in operands(node)]
        if node.operator == "Conv":
            value = self._call_module(self.convolution(node), *values)
        else:
            if node.operator == "Concat":
                values = [self._joining(node, *pair) for pair in zip(operands(node), values, strict=True)]
            value = values[0] if self.leaves_out(node) else self._call_function(node, values)
        if len(node.outputs) > 1:
            for position, name in enumerate(node.outputs):
                self._values[name] = self._calls.call_function(getitem, (value, position))
                self._values[name] = self._moved(node, name, self._values[name])
            return
        tensor = node.outputs[0]
        product = self._network.plan.silu.get(tensor)
        if product is not None:
            module = self.silu(self._network.plan.of[tensor], self._network.plan.of[product.outputs[0]])
            self._values[product.outputs[0]] = self._call_module(module, value)
        elif keeps_codes(node):
            self._values[tensor] = self._moved(node, tensor, value)
        else:
            self._values[tensor] = self._quantized(tensor, value)

    def _call_function(self, node: Node, values: list[fx.Node]) -> fx.Node:
        return self._calls.call_function(build_function(node, self._network.graph.constants), tuple(values))

    def leaves_out(self, node: Node) -> bool:
        """Return whether a node changes nothing that is not done by the grid of its output."""
        return False

    def _operand(self, node: Node, name: str) -> fx.Node:
        """Return the value of a computed tensor or constant, as the node reads it."""
        if (node.outputs[0], name) in self._network.plan.reads_float:
            return self._reals[name]
        if name not in self._values:
            real = torch.from_numpy(self._network.graph.constants[name].copy())
            self._values[name] = self._call_module(self.constant(real, self._network.plan.of.get(name)))
        return self._values[name]

    def _joining(self, node: Node, name: str, value: fx.Node) -> fx.Node:
        """Return an operand of a concatenation, on the grid of its output."""
        plan = self._network.plan
        wanted = plan.of.get(node.outputs[0])
        if wanted is None or plan.of.get(name) == wanted:
            return value
        return self._call_module(self.requantizer(wanted), value)

    def _moved(self, node: Node, tensor: str, value: fx.Node) -> fx.Node:
        anew = self.quantizes_moves or node.name in self._network.plan.float_nodes
        return self._quantized(tensor, value) if anew else value

    def _quantized(self, tensor: str, value: fx.Node) -> fx.Node:
        index = self._network.plan.of.get(tensor)
        if index is None:  # a convolution whose clamp comes next, or a tensor that stays float
            return value
        self._reals[tensor] = value
        return self._call_module(self.quantizer(index), value)

    def grid(self, index: int) -> ActivationGrid:
        """Return the grid at a position of the plan."""
        return cast(ActivationGrid, self._network.grids[index])

    def _call_module(self, module: nn.Module, *values: fx.Node) -> fx.Node:
        name = f"m{len(self._modules)}"
        self._modules[name] = module
        return self._calls.call_module(name, values)

    def outputs(self, heads: tuple[fx.Node, ...]) -> Any:
        """Return what the module is to give."""
        return heads

    @abstractmethod
    def quantizer(self, index: int) -> nn.Module:
        """Return the module that puts a tensor on a grid of the plan."""

    def requantizer(self, index: int) -> nn.Module:
        """Return the module that puts a tensor of another grid on one of the plan."""
        return self.quantizer(index)

    @abstractmethod
    def silu(self, x: int, y: int) -> nn.Module:
        """Return the module that computes SiLU between two grids of the plan."""

    @abstractmethod
    def convolution(self, node: Node) -> nn.Module:
        """Return the module of a Conv node."""

    @abstractmethod
    def constant(self, value: Tensor, index: int | None) -> nn.Module:
        """Return the module that gives a constant operand, on a grid of the plan or real."""


class _Training(Builder):
    """The modules that are trained."""

    def __init__(self, network: Network, kernels: Kernels) -> None:
        super().__init__(network)
        self._kernels = kernels

    def outputs(self, heads: tuple[fx.Node, ...]) -> Any:
        return heads, tuple(self._values[name] for name in self._network.features)

    def quantizer(self, index: int) -> nn.Module:
        return FakeQuantize(index, self.grid(index), self._kernels)

    def silu(self, x: int, y: int) -> nn.Module:
        return FakeQuantizeSilu(x, self.grid(x), y, self.grid(y), self._kernels)

    def convolution(self, node: Node) -> nn.Module:
        constants = self._network.graph.constants
        weight = torch.from_numpy(constants[node.inputs[1]].copy())
        bias = torch.from_numpy(constants[node.inputs[2]].copy()) if len(node.inputs) > 2 else None
        module = Convolution(weight, bias, convolution_options(node))
        plan, read = self._network.plan, node.inputs[0]
        module.stays_float = node.name in plan.float_nodes
        if plan.preset == "a" and read in plan.of:
            module.read_from(self.grid(plan.of[read]))
        self._network.convolutions[module_name(node.name)] = module
        return module

    def constant(self, value: Tensor, index: int | None) -> nn.Module:
        return ConstantOperand(value, None if index is None else self._network.plan.grids[index].fixed)
