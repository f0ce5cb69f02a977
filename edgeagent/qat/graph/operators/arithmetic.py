"""Operators that compute: activations, sums and products."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from edgeagent.qat.graph.node import Constant, Node
from edgeagent.qat.graph.operators.function import Builder, Function, parameter, plain

MANY_OPERANDS = frozenset({"Add", "Concat", "Div", "MatMul", "Mul", "PRelu", "Sub"})
"""Operators whose inputs are all values; the others have one value, followed by parameters."""


def _clip(node: Node, constants: Mapping[str, Constant]) -> Function:
    low, high = parameter(node, constants, 1), parameter(node, constants, 2)
    least = None if low is None else float(low)
    most = None if high is None else float(high)
    if least is None and most is None:
        return lambda x: x
    return lambda x: torch.clamp(x, least, most)


def _leaky_relu(node: Node, constants: Mapping[str, Constant]) -> Function:
    slope = node.attributes.get("alpha", 0.01)
    return lambda x: functional.leaky_relu(x, slope)


def _hard_sigmoid(node: Node, constants: Mapping[str, Constant]) -> Function:
    slope, offset = node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5)
    return lambda x: torch.clamp(slope * x + offset, 0.0, 1.0)


def _softmax(node: Node, constants: Mapping[str, Constant]) -> Function:
    axis = node.attributes["axis"]
    return lambda x: torch.softmax(x, axis)


def _reduce_mean(node: Node, constants: Mapping[str, Constant]) -> Function:
    axes, keep = list(node.attributes["axes"]), bool(node.attributes["keepdims"])
    return lambda x: x.mean(axes, keepdim=keep)


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.relu(x) - slope * torch.relu(-x)


ARITHMETIC: dict[str, Builder] = {
    "Add": plain(torch.add),
    "Clip": _clip,
    "Div": plain(torch.div),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": plain(functional.hardswish),
    "LeakyRelu": _leaky_relu,
    "MatMul": plain(torch.matmul),
    "Mul": plain(torch.mul),
    "PRelu": plain(_prelu),
    "ReduceMean": _reduce_mean,
    "Relu": plain(torch.relu),
    "Sigmoid": plain(torch.sigmoid),
    "Softmax": _softmax,
    "Sqrt": plain(torch.sqrt),
    "Sub": plain(torch.sub),
    "Tanh": plain(torch.tanh),
}
