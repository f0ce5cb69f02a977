"""Operators that move values without computing new ones, for any batch size."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from edgeagent.qat.graph.node import Constant, Node
from edgeagent.qat.graph.operators.function import Builder, Function, parameter, required


def _concat(node: Node, constants: Mapping[str, Constant]) -> Function:
    axis = node.attributes["axis"]

    def concat(*tensors: Tensor) -> Tensor:
        batch = max(tensor.shape[0] for tensor in tensors)
        return torch.cat([tensor.expand(batch, *tensor.shape[1:]) for tensor in tensors], axis)

    if any(name in constants for name in node.inputs):
        return concat
    return lambda *tensors: torch.cat(tensors, axis)


def _slice(node: Node, constants: Mapping[str, Constant]) -> Function:
    starts, ends, axes, steps = (required(node, constants, position).tolist() for position in range(1, 5))
    index: list[slice] = [slice(None)] * (max(axes) + 1)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        index[axis] = slice(start, end, step)
    return lambda x: x[tuple(index)]


def _split(node: Node, constants: Mapping[str, Constant]) -> Function:
    axis, sizes = node.attributes["axis"], required(node, constants, 1).tolist()
    return lambda x: torch.split(x, sizes, axis)


def _gather(node: Node, constants: Mapping[str, Constant]) -> Function:
    axis, indices = node.attributes["axis"], required(node, constants, 1)
    if indices.ndim == 0:
        position = int(indices)
        return lambda x: x.select(axis, position)
    positions = indices.tolist()
    return lambda x: torch.index_select(x, axis, torch.tensor(positions, device=x.device))


def _reshape(node: Node, constants: Mapping[str, Constant]) -> Function:
    rest = required(node, constants, 1).tolist()[1:]
    return lambda x: x.reshape(x.shape[0], *rest)


def _transpose(node: Node, constants: Mapping[str, Constant]) -> Function:
    order = tuple(node.attributes["perm"])
    return lambda x: x.permute(order)


def _pad(node: Node, constants: Mapping[str, Constant]) -> Function:
    pads, mode = required(node, constants, 1).tolist(), node.attributes["mode"].decode()
    rank = len(pads) // 2
    both = [pads[axis + end * rank] for axis in range(rank)[::-1] for end in (0, 1)]
    if mode == "constant":
        given = parameter(node, constants, 2)
        value = 0.0 if given is None else float(given)
        return lambda x: functional.pad(x, both, value=value)
    last = both[:4]
    return lambda x: functional.pad(x, last, mode={"edge": "replicate"}.get(mode, mode))


def _depth_to_space(node: Node, constants: Mapping[str, Constant]) -> Function:
    block = node.attributes["blocksize"]
    if node.attributes["mode"] == b"CRD":
        return lambda x: functional.pixel_shuffle(x, block)

    def depth_to_space(x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        parts = x.reshape(batch, block, block, channels // block**2, height, width)
        moved = parts.permute(0, 3, 4, 1, 5, 2)
        return moved.reshape(batch, channels // block**2, height * block, width * block)

    return depth_to_space


MOVES: dict[str, Builder] = {
    "Concat": _concat,
    "DepthToSpace": _depth_to_space,
    "Gather": _gather,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Transpose": _transpose,
}
