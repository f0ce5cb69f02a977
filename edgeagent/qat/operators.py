"""ONNX operators as torch functions.

Each entry takes the node, its constant inputs and the ONNX attributes, and returns a function of the
remaining (tensor) inputs. Convolutions are not here: they carry weights and are modules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgeagent.errors import DataError
from edgeagent.qat.node import Constant, Node

Function = Callable[..., Any]
Builder = Callable[[Node, Mapping[str, Constant]], Function]


def build_function(node: Node, constants: Mapping[str, Constant]) -> Function:
    """Return the torch function of a node, over its tensor inputs in order.

    Raises:
        DataError: the operator, or this use of it, is not supported; the node is named.
    """
    builder = _BUILDERS.get(node.operator)
    if builder is None:
        raise DataError(
            f"operator {node.operator} of node {node.name} is not supported by qat; supported are "
            f"Conv, {', '.join(sorted(_BUILDERS))}"
        )
    return builder(node, constants)


def convolution_options(node: Node) -> dict[str, Any]:
    """Return stride, dilation, groups and pads (top, left, bottom, right) of a 2-D Conv node."""
    if node.attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise _unsupported(node, f"auto_pad {node.attributes['auto_pad'].decode()}")
    return {
        "stride": tuple(node.attributes.get("strides", (1, 1))),
        "dilation": tuple(node.attributes.get("dilations", (1, 1))),
        "groups": node.attributes.get("group", 1),
        "pads": tuple(node.attributes.get("pads", (0, 0, 0, 0))),
    }


def _unsupported(node: Node, what: str) -> DataError:
    return DataError(f"{what} of node {node.name} ({node.operator}) is not supported by qat")


def _argument(node: Node, constants: Mapping[str, Constant], position: int) -> Constant | None:
    """Return a constant input, None when it is left out."""
    if position >= len(node.inputs) or not node.inputs[position]:
        return None
    if node.inputs[position] not in constants:
        raise _unsupported(node, f"a computed input {position}")
    return constants[node.inputs[position]]


def _required(node: Node, constants: Mapping[str, Constant], position: int) -> Constant:
    value = _argument(node, constants, position)
    if value is None:
        raise _unsupported(node, f"a missing input {position}")
    return value


def _elementwise(function: Function) -> Builder:
    """An operator of two operands, of which one may be a constant."""

    def build(node: Node, constants: Mapping[str, Constant]) -> Function:
        operands = [constants.get(name) for name in node.inputs]
        if operands[0] is not None:
            left = torch.from_numpy(np.array(operands[0]))
            return lambda x: function(left, x)
        if operands[1] is not None:
            right = torch.from_numpy(np.array(operands[1]))
            return lambda x: function(x, right)
        return function

    return build


def _concat(node: Node, constants: Mapping[str, Constant]) -> Function:
    axis = node.attributes["axis"]
    return lambda *tensors: torch.cat(tensors, axis)


def _slice(node: Node, constants: Mapping[str, Constant]) -> Function:
    starts, ends = _required(node, constants, 1), _required(node, constants, 2)
    axes, steps = _argument(node, constants, 3), _argument(node, constants, 4)
    axes = np.arange(len(starts)) if axes is None else axes
    steps = np.ones(len(starts), np.int64) if steps is None else steps
    if min(axes) < 0 or min(steps) < 1:
        raise _unsupported(node, "a negative axis or step")
    index: list[slice] = [slice(None)] * (int(max(axes)) + 1)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        index[int(axis)] = slice(int(start), int(min(end, 2**31)), int(step))
    return lambda x: x[tuple(index)]


def _split(node: Node, constants: Mapping[str, Constant]) -> Function:
    axis, sizes = node.attributes.get("axis", 0), _argument(node, constants, 1)
    if sizes is not None:
        return lambda x: torch.split(x, sizes.tolist(), axis)
    return lambda x: torch.chunk(x, len(node.outputs), axis)


def _max_pool(node: Node, constants: Mapping[str, Constant]) -> Function:
    kernel = tuple(node.attributes["kernel_shape"])
    stride = tuple(node.attributes.get("strides", (1, 1)))
    top, left, bottom, right = node.attributes.get("pads", (0, 0, 0, 0))
    if node.attributes.get("ceil_mode", 0) or (top, left) != (bottom, right):
        raise _unsupported(node, "ceil_mode or asymmetric padding")
    return lambda x: functional.max_pool2d(x, kernel, stride, (top, left))


def _resize(node: Node, constants: Mapping[str, Constant]) -> Function:
    mode = node.attributes.get("mode", b"nearest").decode()
    coordinates = node.attributes.get("coordinate_transformation_mode", b"half_pixel").decode()
    torch_mode = {"nearest": "nearest", "linear": "bilinear"}.get(mode)
    if torch_mode is None or (mode == "linear" and coordinates not in ("half_pixel", "pytorch_half_pixel")):
        raise _unsupported(node, f"mode {mode} with coordinates {coordinates}")
    scales, sizes = _argument(node, constants, 2), _argument(node, constants, 3)
    if sizes is not None and sizes.size:
        size = (int(sizes[2]), int(sizes[3]))
        return lambda x: functional.interpolate(x, size=size, mode=torch_mode)
    if scales is None or not scales.size:
        raise _unsupported(node, "neither scales nor sizes")
    factor = (float(scales[2]), float(scales[3]))
    return lambda x: functional.interpolate(x, scale_factor=factor, mode=torch_mode)


def _reshape(node: Node, constants: Mapping[str, Constant]) -> Function:
    shape = _required(node, constants, 1)
    rest = tuple(int(size) for size in shape[1:])
    return lambda x: x.reshape(x.shape[0], *rest)


def _transpose(node: Node, constants: Mapping[str, Constant]) -> Function:
    order = tuple(node.attributes["perm"])
    return lambda x: x.permute(order)


def _clip(node: Node, constants: Mapping[str, Constant]) -> Function:
    low, high = _argument(node, constants, 1), _argument(node, constants, 2)
    least = None if low is None else float(low)
    most = None if high is None else float(high)
    return lambda x: torch.clamp(x, least, most)


def _leaky_relu(node: Node, constants: Mapping[str, Constant]) -> Function:
    slope = node.attributes.get("alpha", 0.01)
    return lambda x: functional.leaky_relu(x, slope)


def _plain(function: Callable[[Tensor], Tensor]) -> Builder:
    return lambda node, constants: function


_BUILDERS: dict[str, Builder] = {
    "Add": _elementwise(torch.add),
    "Clip": _clip,
    "Concat": _concat,
    "Identity": _plain(lambda x: x),
    "LeakyRelu": _leaky_relu,
    "MaxPool": _max_pool,
    "Mul": _elementwise(torch.mul),
    "Relu": _plain(torch.relu),
    "Reshape": _reshape,
    "Resize": _resize,
    "Sigmoid": _plain(torch.sigmoid),
    "Slice": _slice,
    "Split": _split,
    "Transpose": _transpose,
}
