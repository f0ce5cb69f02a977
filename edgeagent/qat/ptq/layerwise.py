"""Layer-wise execution of a network, in float and quantized side by side.

Every tensor is computed twice, from the float and from the quantized inputs. A visitor sees each convolution
with both inputs before its quantized output is computed, so that changes by the visitor are part of the
inputs of the next layers. One walk costs two runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from edgeagent.qat.graph.node import Node
from edgeagent.qat.network.fake_quantize import Convolution, SwitchableModule
from edgeagent.qat.network.network import Mode, Network


@dataclass(frozen=True)
class TensorPair:
    """Tensor, or tuple of tensors, of the float and of the quantized network.

    Attributes:
        real: value in float.
        rounded: quantized value.
    """

    real: Any
    rounded: Any


@dataclass(frozen=True)
class WalkedLayer:
    """Convolution with the operators up to the next tensor on a grid.

    Attributes:
        node: node of the graph.
        module: module of the network.
        inputs: inputs, (pictures, channels, h, w) each.
        output: function from the convolution's output to the tensor on the grid, in a mode.
    """

    node: Node
    module: Convolution
    inputs: TensorPair
    output: Callable[[Tensor, Mode], Tensor]

    @torch.no_grad()
    def convolve(self, x: Tensor, mode: Mode) -> Tensor:
        """Return the output of the convolution alone, in a mode."""
        self.module.switch(mode)
        value: Tensor = self.module(x)
        return value

    def slope(self, value: Tensor) -> Tensor:
        """Return the derivative of the quantized :attr:`output` by each value of the convolution's output.

        The slope is 0 where later operators saturate: an error of the convolution has no effect there.
        """
        with torch.enable_grad():
            free = value.detach().requires_grad_(True)
            return torch.autograd.grad(self.output(free, "quantize").sum(), free)[0]


@torch.no_grad()
def walk(network: Network, pictures: Tensor, visit: Callable[[WalkedLayer], None]) -> TensorPair:
    """Visit every convolution in order; return the heads of both networks (tuples of tensors).

    Args:
        network: calibrated network; its mode is ``quantize`` afterwards.
        pictures: (pictures, 3, h, w) float32.
        visit: called with each convolution; may change its weights.
    """
    heads: TensorPair = _Walk(network, visit).run(pictures)
    network.set_mode("quantize")
    return heads


def stage_nodes(call: fx.Node) -> list[fx.Node]:
    """Return the calls between a weighted operator and the tensor on the grid, in order; a quantizer is last.

    They compute from the operator's output alone. Where another tensor is fused in before the quantizer, such
    as a residual on symmetric grids, they end before it; where several of their results are read elsewhere,
    there are none.
    """
    found: dict[fx.Node, None] = {call: None}
    for node in call.graph.nodes:
        read = node.all_input_nodes
        fused = bool(read) and all(one in found and (one is call or not _ends(one)) for one in read)
        if fused and node.op != "output" and not isinstance(_module(node), Convolution):
            found[node] = None
    exits = [node for node in found if not found.keys() >= node.users.keys()]
    return list(found)[1:] if len(exits) == 1 else []


def _ends(call: fx.Node) -> bool:
    return isinstance(_module(call), SwitchableModule)


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
            return TensorPair(pictures, pictures)
        if n.op == "output":
            heads, _ = arguments[0]
            return TensorPair(*zip(*((head.real, head.rounded) for head in heads), strict=True))
        function = _function(n)
        real = _run(function, [_part(value, "real") for value in arguments], "float")
        if isinstance(function, Convolution):
            self._visit(WalkedLayer(self._nodes[id(function)], function, arguments[0], _stage(n)))
        return TensorPair(real, _run(function, [_part(value, "rounded") for value in arguments], "quantize"))


def _stage(call: fx.Node) -> Callable[[Tensor, Mode], Tensor]:
    calls = [(node, _function(node)) for node in stage_nodes(call)]

    def run(value: Tensor, mode: Mode) -> Tensor:
        values: dict[Any, Any] = {call: value}
        for node, function in calls:
            value = _run(function, [values.get(one, one) for one in node.args], mode)
            values[node] = value
        return value

    return run


def _run(function: Callable[..., Any], arguments: list[Any], mode: Mode) -> Any:
    if isinstance(function, SwitchableModule):
        function.switch(mode)
    return function(*arguments)


def _part(value: Any, name: str) -> Any:
    return getattr(value, name) if isinstance(value, TensorPair) else value


def _module(call: fx.Node) -> nn.Module | None:
    owner = call.graph.owning_module
    return owner.get_submodule(str(call.target)) if owner and call.op == "call_module" else None


def _function(call: fx.Node) -> Callable[..., Any]:
    return cast(Callable[..., Any], _module(call) or call.target)


def layers(network: Network) -> Iterator[fx.Node]:
    """Return the calls of the network's convolutions, in order."""
    return (call for call in network.body.graph.nodes if isinstance(_module(call), Convolution))
