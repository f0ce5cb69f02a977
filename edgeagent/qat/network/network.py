"""Network: the ONNX graph as a torch module.

A :class:`Builder` turns the nodes into a :class:`torch.fx.GraphModule`, one call per node, with a
fake-quantizer after every computing operator. The same module runs in float (teacher, reference), observed
(calibration) or fake-quantized (training).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from operator import getitem
from typing import Any, Literal, cast

import torch
from torch import Tensor, fx, nn

from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.node import Node
from edgeagent.qat.graph.operators import build_function, convolution_options, operands
from edgeagent.qat.grid.plan import GridPlan, keeps_codes
from edgeagent.qat.network.fake_quantize import (
    ActivationGrid,
    ConstantOperand,
    Convolution,
    FakeQuantize,
    FakeQuantizeSilu,
    SwitchableModule,
)
from edgeagent.qat.network.kernels import Kernels

Mode = Literal["float", "quantize"]
JOINTS = frozenset({"Add", "Concat"})


class Network(nn.Module):
    """Trainable graph.

    Args:
        graph: source of operators and weights.
        plan: grids of its tensors.
        compiled: whether to compile the fake-quantizers, where a C++ compiler is installed.

    Attributes:
        graph: source graph.
        plan: its grids.
        compiled: whether the fake-quantizers are compiled.
        grids: :class:`ActivationGrid` of each grid of the plan, in order.
        convolutions: :class:`Convolution` of each Conv node, in the order of the graph.
        features: names of the tensors where branches of the graph join, for the feature loss.
        body: traced graph, from (batch, 3, h, w) float32 to the head tensors and the features.
    """

    def __init__(self, graph: Graph, plan: GridPlan, compiled: bool = False) -> None:
        super().__init__()
        self.graph, self.plan = graph, plan
        kernels = Kernels(compiled)
        self.compiled = kernels.compiled
        self.grids = nn.ModuleList(ActivationGrid(grid.fixed, grid.symmetric) for grid in plan.grids)
        self.convolutions = nn.ModuleList()
        self._places: dict[str, int] = {}  # of convolutions, by name of the node
        self.features = tuple(node.outputs[0] for node in graph.nodes if node.operator in JOINTS)
        self.body = _Training(self, kernels).build()

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Return the head tensors, each (batch, channels, h, w), for pictures (batch, 3, h, w)."""
        heads, _ = self.body(pictures)
        return cast("tuple[Tensor, ...]", heads)

    def heads_and_features(self, pictures: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return the head tensors and the tensors of :attr:`features`, each (batch, channels, h, w)."""
        return cast("tuple[tuple[Tensor, ...], tuple[Tensor, ...]]", self.body(pictures))

    def convolution(self, node: Node) -> Convolution:
        """Return the module of a Conv node of the graph."""
        return cast(Convolution, self.convolutions[self._places[node.name]])

    def add_convolution(self, node: Node, module: Convolution) -> None:
        """Add the module of a Conv node."""
        self._places[node.name] = len(self.convolutions)
        self.convolutions.append(module)

    def set_mode(self, mode: Mode) -> None:
        """Set the mode: ``float``, or ``quantize`` for fake-quantized weights and activations."""
        for module in self._switchable():
            module.switch(mode)

    def set_observer(self, observe: Callable[[int, Tensor], None] | None) -> None:
        """Set the observer of tensors before quantization, called with (position of the grid, tensor)."""
        for module in self._switchable():
            module.observe = observe

    @torch.no_grad()
    def copy_from(self, other: Network) -> None:
        """Copy the weights of a network of the same graph, and its grids of the tensors in both plans."""
        self.convolutions.load_state_dict(other.convolutions.state_dict())
        for tensor, index in self.plan.of.items():
            if tensor in other.plan.of:
                grid = cast(ActivationGrid, other.grids[other.plan.of[tensor]])
                copied = cast(ActivationGrid, self.grids[index])
                copied.load_state_dict(grid.state_dict())
                copied.zero_point.requires_grad_(grid.zero_point.requires_grad)

    def trained_graph(self) -> Graph:
        """Return the graph with the network's present weights and biases, not quantized."""
        constants = dict(self.graph.constants)
        for node in self.graph.nodes:
            if node.operator != "Conv":
                continue
            module = self.convolution(node)
            constants[node.inputs[1]] = module.weight().detach().contiguous().numpy()
            bias = module.bias()
            if bias is not None:
                constants[node.inputs[2]] = bias.detach().numpy()
        return replace(self.graph, constants=constants)

    def _switchable(self) -> list[SwitchableModule]:
        return [module for module in self.body.modules() if isinstance(module, SwitchableModule)]


class Builder(ABC):
    """Construction of an fx graph with one call per node; subclasses choose the modules.

    Args:
        network: network whose graph, plan and weights are used.

    Attributes:
        quantizes_moves: whether moved values pass a quantizer again, which changes no value but tells a
            converter the grid.
    """

    quantizes_moves = False

    def __init__(self, network: Network) -> None:
        self._network = network
        self._calls = fx.Graph()
        self._modules = nn.ModuleDict()
        self._values: dict[str, fx.Node] = {}
        self._reals: dict[str, fx.Node] = {}  # before quantization

    def build(self) -> fx.GraphModule:
        """Return the module, from (batch, 3, h, w) float32 to the head tensors."""
        graph, plan = self._network.graph, self._network.plan
        self._values[graph.input] = self._quantized(graph.input, self._calls.placeholder("pictures"))
        silu_products = {node.outputs[0] for node in plan.silu.values()}
        silu_gates = {name for node in plan.silu.values() for name in node.inputs} - set(plan.silu)
        for node in graph.nodes:
            if node.outputs[0] in silu_products or node.outputs[0] in silu_gates:
                continue  # computed with x
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
        """Return whether a node is omitted because the grid of its output has the same effect."""
        return False

    def _operand(self, node: Node, name: str) -> fx.Node:
        """Return the fx value of a tensor or constant, as the node reads it."""
        if (node.outputs[0], name) in self._network.plan.reads_float:
            return self._reals[name]
        if name not in self._values:
            real = torch.from_numpy(self._network.graph.constants[name].copy())
            self._values[name] = self._call_module(self.constant(real, self._network.plan.of.get(name)))
        return self._values[name]

    def _joining(self, node: Node, name: str, value: fx.Node) -> fx.Node:
        """Return the operand of a concatenation, requantized to the grid of the output."""
        plan = self._network.plan
        wanted = plan.of.get(node.outputs[0])
        if wanted is None or plan.of.get(name) == wanted:
            return value
        return self._call_module(self.requantizer(wanted), value)

    def _moved(self, node: Node, tensor: str, value: fx.Node) -> fx.Node:
        again = self.quantizes_moves or node.name in self._network.plan.float_nodes
        return self._quantized(tensor, value) if again else value

    def _quantized(self, tensor: str, value: fx.Node) -> fx.Node:
        index = self._network.plan.of.get(tensor)
        if index is None:  # the tensor before a fused clamp, or a float tensor
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
        """Return the output of the module, from the values of the heads."""
        return heads

    @abstractmethod
    def quantizer(self, index: int) -> nn.Module:
        """Return the module that quantizes a tensor to a grid of the plan."""

    def requantizer(self, index: int) -> nn.Module:
        """Return the module that requantizes a tensor from another grid."""
        return self.quantizer(index)

    @abstractmethod
    def silu(self, x: int, y: int) -> nn.Module:
        """Return the module for SiLU between two grids of the plan."""

    @abstractmethod
    def convolution(self, node: Node) -> nn.Module:
        """Return the module of a Conv node."""

    @abstractmethod
    def constant(self, value: Tensor, index: int | None) -> nn.Module:
        """Return the module of a constant operand, on a grid of the plan or, for None, in float."""


class _Training(Builder):
    """Builder of the trained modules."""

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
        if plan.kind == "affine" and read in plan.of:
            module.read_from(self.grid(plan.of[read]))
        self._network.add_convolution(node, module)
        return module

    def constant(self, value: Tensor, index: int | None) -> nn.Module:
        return ConstantOperand(value, None if index is None else self._network.plan.grids[index].fixed)
