"""Pooling: maxima and means over windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from edgeagent.qat.graph.node import Constant, Node, unsupported
from edgeagent.qat.graph.operators.function import Builder, Function, plain


def _max_pool(node: Node, constants: Mapping[str, Constant]) -> Function:
    kernel, stride, dilation, pads, _ = _window(node)
    if _are_even(pads, kernel):
        half = tuple(pads[:2])
        return lambda x: functional.max_pool2d(x, kernel, stride, half, dilation)
    around = _around(pads)
    return lambda x: functional.max_pool2d(
        functional.pad(x, around, value=float("-inf")), kernel, stride, 0, dilation
    )


def _average_pool(node: Node, constants: Mapping[str, Constant]) -> Function:
    kernel, stride, _, pads, ceil = _window(node)
    count_pads = bool(node.attributes["count_include_pad"])
    if _are_even(pads, kernel):
        half = tuple(pads[:2])
        return lambda x: functional.avg_pool2d(x, kernel, stride, half, ceil, count_pads)
    if ceil:
        raise unsupported(node, f"ceil_mode with pads {list(pads)}")
    around = _around(pads)

    def average(x: Tensor) -> Tensor:
        total = functional.avg_pool2d(functional.pad(x, around), kernel, stride)
        if count_pads:
            return total
        inside = functional.pad(torch.ones_like(x[:1, :1]), around)
        return total / functional.avg_pool2d(inside, kernel, stride)

    return average


def _window(node: Node) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], Sequence[int], bool]:
    """Return kernel, stride, dilation, pads (top, left, bottom, right) and ceil mode."""
    options = node.attributes
    sizes = (tuple(options.get(name, (1, 1))) for name in ("kernel_shape", "strides", "dilations"))
    kernel, stride, dilation = sizes
    return kernel, stride, dilation, options["pads"], bool(options["ceil_mode"])


def _are_even(pads: Sequence[int], kernel: Sequence[int]) -> bool:
    """Return whether torch supports the pads: equal on both sides, and at most half a window."""
    return pads[:2] == pads[2:] and all(2 * p <= size for p, size in zip(pads[:2], kernel, strict=True))


def _around(pads: Sequence[int]) -> tuple[int, ...]:
    top, left, bottom, right = pads
    return left, right, top, bottom


POOLING: dict[str, Builder] = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": plain(lambda x: x.mean((2, 3), keepdim=True)),
    "MaxPool": _max_pool,
}
