"""A walk through the network, layer after layer, in float and quantized side by side.

Every tensor is computed twice: from what the float network gives, and from what the quantized one gives up to
there. A visitor sees each convolution with both inputs before its quantized output is computed, so that what
the visitor changes in the layer is already in what the next layers get. One walk costs two runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from edgeagent.qat.graph.node import Node
from edgeagent.qat.network.fake_quantize import Convolution, _Switchable
from edgeagent.qat.network.network import Mode, Network


@dataclass(frozen=True)
class Pair:
    """A tensor, or several, of the float and of the quantized network."""

    real: Any
    rounded: Any


@dataclass(frozen=True)
class WalkedLayer:
    """A convolution and what lies between it and the next tensor on a grid.

    Attributes:
        node: of the graph.
        module: of the network.
        inputs: (pictures, channels, h, w) each.
        output: from the convolution's output to the tensor on the grid, in a mode.
    """

    node: Node
    module: Convolution
    inputs: Pair
    output: Callable[[Tensor, Mode], Tensor]

    @torch.no_grad()
    def convolve(self, x: Tensor, mode: Mode) -> Tensor:
        """Return the convolution's own output in a mode."""
        self.module.switch(mode)
        value: Tensor = self.module(x)
        return value

    def slope(self, value: Tensor) -> Tensor:
        """Return the derivative of the quantized :attr:`output` by each value of the convolution's output.

        It is 0 where what follows is saturated: there an error of the convolution changes nothing.
        """
        with torch.enable_grad():
            free = value.detach().requires_grad_(True)
            return torch.autograd.grad(self.output(free, "quantize").sum(), free)[0]


@torch.no_grad()
def walk(network: Network, pictures: Tensor, visit: Callable[[WalkedLayer], None]) -> Pair:
    """Visit every convolution in order; return the heads of both networks (tuples of tensors).

    Args:
        network: calibrated; it is left quantized.
        pictures: (pictures, 3, h, w).
        visit: may change the weights of the layer that it is given.
    """
    heads: Pair = _Walk(network, visit).run(pictures)
    network.set_mode("quantize")
    return heads


def stage_nodes(call: fx.Node) -> list[fx.Node]:
    """Return the calls between a weighted operator and the tensor on the grid, its quantizer last."""
    found: list[fx.Node] = []
    while len(call.users) == 1:
        (call,) = call.users
        if call.op == "output":
            break
        found.append(call)
        module = _module(call)
        if isinstance(module, _Switchable):
            return found if not isinstance(module, Convolution) else []
    return []


class _Walk(fx.Interpreter):
    def __init__(self, network: Network, visit: Callable[[WalkedLayer], None]) -> None:
        super().__init__(network.body)
        self._visit = visit
        self._nodes = {
            id(network.convolution(node)): node for node in network.graph.nodes if node.operator == "Conv"
        }

    def run_node(self, n: fx.Node) -> Any:
        arguments, _ = self.fetch_args_kwargs_from_env(n)
        if n.op == "placeholder":
            pictures = super().run_node(n)
            return Pair(pictures, pictures)
        if n.op == "output":
            heads, _ = arguments[0]
            return Pair(*zip(*((head.real, head.rounded) for head in heads), strict=True))
        function = _function(n)
        real = _run(function, [_part(value, "real") for value in arguments], "float")
        if isinstance(function, Convolution):
            self._visit(WalkedLayer(self._nodes[id(function)], function, arguments[0], _stage(n)))
        return Pair(real, _run(function, [_part(value, "rounded") for value in arguments], "quantize"))


def _stage(call: fx.Node) -> Callable[[Tensor, Mode], Tensor]:
    functions = [_function(node) for node in stage_nodes(call)]

    def run(value: Tensor, mode: Mode) -> Tensor:
        for function in functions:
            value = _run(function, [value], mode)
        return value

    return run


def _run(function: Callable[..., Any], arguments: list[Any], mode: Mode) -> Any:
    if isinstance(function, _Switchable):
        function.switch(mode)
    return function(*arguments)


def _part(value: Any, name: str) -> Any:
    return getattr(value, name) if isinstance(value, Pair) else value


def _module(call: fx.Node) -> nn.Module | None:
    owner = call.graph.owning_module
    return owner.get_submodule(str(call.target)) if owner and call.op == "call_module" else None


def _function(call: fx.Node) -> Callable[..., Any]:
    return cast(Callable[..., Any], _module(call) or call.target)


def layers(network: Network) -> Iterator[fx.Node]:
    """Return the calls of the network's convolutions, in order."""
    return (call for call in network.body.graph.nodes if isinstance(_module(call), Convolution))
