"""Random graphs over the operators that are read, as exports of opsets 11 to 21 write them.

Each block takes a tensor (1, channels, height, width) and returns one; a graph is a few blocks and two heads.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper

from tests.qat.models import GraphBuilder

HEIGHT, WIDTH = 10, 12
OPSETS = st.integers(11, 21)
T = TypeVar("T")


class Tensor:
    """A tensor (1, channels, height, width) of a graph."""

    def __init__(self, name: str, channels: int, height: int, width: int) -> None:
        self.name, self.channels, self.height, self.width = name, channels, height, width

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return 1, self.channels, self.height, self.width


class OperatorGraph(GraphBuilder):
    """A graph being drawn."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], opset: int) -> None:
        super().__init__(draw(st.integers(0, 99)))
        self._draw, self.opset = draw, opset
        self.known: list[Tensor] = []  # where onnx cannot infer the shape

    def choose(self, *options: T) -> T:
        chosen: T = self._draw(st.sampled_from(options))
        return chosen

    def reals(self, *shape: int, low: float = -1, high: float = 1) -> str:
        return self.constant(self.random.uniform(low, high, shape), np.float32)

    def axes(self, operator: str, x: str, axes: list[int], since: int = 13, **attributes: Any) -> str:
        """A node whose axes are an attribute in old opsets, an input in new ones."""
        if self.opset < since:
            return self.node(operator, x, axes=axes, **attributes)
        return self.node(operator, x, self.constant(axes), **attributes)

    def split(self, x: str, sizes: list[int], axis: int) -> list[str]:
        even = len(set(sizes)) == 1
        if even and self.opset >= 18:
            first = self.node("Split", x, outputs=len(sizes), axis=axis, num_outputs=len(sizes))
        elif even and self.choose(True, False):
            first = self.node("Split", x, outputs=len(sizes), axis=axis)
        elif self.opset < 13:
            first = self.node("Split", x, outputs=len(sizes), axis=axis, split=sizes)
        else:
            first = self.node("Split", x, self.constant(sizes), outputs=len(sizes), axis=axis)
        return [f"{first[:-1]}{k}" for k in range(len(sizes))]

    def weights(self, x: Tensor, outputs: int, kernel: tuple[int, int], group: int = 1) -> tuple[str, str]:
        size = x.channels // group * kernel[0] * kernel[1]
        weight = self.random.normal(0, size**-0.5, (outputs, x.channels // group, *kernel))
        return self.constant(weight, np.float32), self.reals(outputs)

    def convolution(self, x: Tensor, outputs: int, kernel: int = 1, **attributes: Any) -> Tensor:
        pad = kernel // 2
        window: dict[str, Any] = {"kernel_shape": [kernel, kernel], "pads": [pad] * 4, **attributes}
        name = self.node("Conv", x.name, *self.weights(x, outputs, (kernel, kernel)), **window)
        return Tensor(name, outputs, x.height, x.width)

    def measured(self, name: str) -> Tensor:
        """The tensor of a name, with the shape that onnx infers."""
        model = self.model([name])
        found = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        infos = [*found.value_info, *found.output]
        dims = next(i.type.tensor_type.shape.dim for i in infos if i.name == name)
        _, channels, height, width = (d.dim_value for d in dims)
        return Tensor(name, channels, height, width)

    def model(self, outputs: list[str]) -> onnx.ModelProto:
        picture = helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, HEIGHT, WIDTH))
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (None,) * 4) for name in outputs]
        known = [helper.make_tensor_value_info(t.name, TensorProto.FLOAT, t.shape) for t in self.known]
        graph = helper.make_graph(self.nodes, "test", [picture], values, self.initializers, value_info=known)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)


def _convolution(g: OperatorGraph, x: Tensor) -> Tensor:
    kernel = g.choose((1, 1), (3, 3), (3, 5), (2, 2))
    group = g.choose(1, x.channels, 2 if x.channels % 2 == 0 else 1)
    outputs = group * g.choose(1, 2)
    same = g.choose(True, False)
    dilation = 1 if same else g.choose(1, 2)  # ONNX Runtime has no dilation with automatic pads
    window: dict[str, Any] = {"strides": g.choose([1, 1], [2, 2]), "dilations": [dilation] * 2}
    if same:
        window["auto_pad"] = g.choose("SAME_UPPER", "SAME_LOWER")
    else:
        window["pads"] = g.choose([1, 1, 1, 1], [2, 2, 2, 2], [0, 1, 2, 1])
    arguments = g.weights(x, outputs, kernel, group)[: g.choose(1, 2)]
    return g.measured(g.node("Conv", x.name, *arguments, group=group, kernel_shape=kernel, **window))


def _conv_transpose(g: OperatorGraph, x: Tensor) -> Tensor:
    group = g.choose(1, 2) if x.channels % 2 == 0 else 1
    kernel, stride, pad = g.choose(
        (2, 2, 0), (4, 2, 1), (3, 2, 1), (3, 1, 1), (3, 3, 0), (2, 3, 0), (5, 2, 2)
    )
    weight = g.reals(x.channels, 2, kernel, kernel)
    window: dict[str, Any] = {
        "kernel_shape": [kernel] * 2,
        "strides": [stride] * 2,
        "pads": [pad] * 4,
        "group": group,
    }
    if stride > 1:
        window["output_padding"] = g.choose([0, 0], [1, 1], [0, 1])
    bias = (g.reals(2 * group),) if g.choose(True, False) else ()
    return g.measured(g.node("ConvTranspose", x.name, weight, *bias, **window))


def _activation(g: OperatorGraph, x: Tensor) -> Tensor:
    kinds = ["Relu", "Clip", "LeakyRelu", "PRelu", "HardSigmoid", "Sigmoid", "Tanh", "SiLU", "Softmax"]
    kind = g.choose(*kinds, *(["HardSwish"] if g.opset >= 14 else []))
    attributes: dict[str, Any] = {}
    extra: tuple[str, ...] = ()
    if kind == "Clip":
        extra = g.choose(
            (g.constant(0.0, np.float32), g.constant(0.8, np.float32)), ("", g.constant(0.5, np.float32))
        )
    elif kind == "PRelu":
        extra = (g.reals(x.channels, 1, 1),)
    elif kind == "LeakyRelu":
        attributes["alpha"] = 0.2
    elif kind == "HardSigmoid":
        attributes = g.choose({}, {"alpha": 1 / 6, "beta": 0.5})
    elif kind == "Softmax":
        attributes = g.choose({}, {"axis": 1}, {"axis": -1}, {"axis": 3})
    if kind == "SiLU":
        return Tensor(g.silu(x.name), *x.shape[1:])
    return Tensor(g.node(kind, x.name, *extra, **attributes), *x.shape[1:])


def _constant_operand(g: OperatorGraph, x: Tensor) -> Tensor:
    operator = g.choose("Add", "Sub", "Mul", "Div")
    shape = g.choose((), (1,), (1, x.channels, 1, 1), (x.channels, 1, 1), (x.height, x.width))
    value = g.reals(*shape, low=0.5, high=2)
    inputs = (value, x.name) if operator in ("Add", "Sub") and g.choose(True, False) else (x.name, value)
    return Tensor(g.node(operator, *inputs), *x.shape[1:])


def _two_branches(g: OperatorGraph, x: Tensor) -> Tensor:
    left, right = g.convolution(x, x.channels, 3), g.convolution(x, x.channels)
    operator = g.choose("Add", "Sub", "Mul", "Div", "Concat", "Sum")
    if operator == "Concat":
        return Tensor(
            g.node("Concat", left.name, right.name, x.name, axis=g.choose(1, -3)),
            3 * x.channels,
            x.height,
            x.width,
        )
    if operator == "Sum":
        return Tensor(g.node("Sum", left.name, right.name, x.name), *x.shape[1:])
    name = right.name
    if operator == "Div":
        name = g.node("Add", g.node("Sigmoid", name), g.constant(0.5, np.float32))
    return Tensor(g.node(operator, left.name, name), *x.shape[1:])


def _rep_block(g: OperatorGraph, x: Tensor) -> Tensor:
    """Three branches with batch normalization each, and one behind their sum."""
    left = _normalized(g, g.convolution(x, x.channels, 3))
    right = _normalized(g, g.convolution(x, x.channels))
    alpha = g.node("Mul", right.name, g.constant(0.7, np.float32))
    through = _normalized(g, x) if g.choose(True, False) else x
    total = g.node("Add", g.node("Add", left.name, alpha), through.name)
    return _normalized(g, Tensor(total, *x.shape[1:]))


def _normalized(g: OperatorGraph, x: Tensor) -> Tensor:
    statistics = [g.reals(x.channels), g.reals(x.channels), g.reals(x.channels)]
    variance = g.reals(x.channels, low=0.5, high=2)
    name = g.node("BatchNormalization", x.name, *statistics, variance, epsilon=1e-3)
    return Tensor(name, *x.shape[1:])


def _split_and_joined(g: OperatorGraph, x: Tensor) -> Tensor:
    x = g.convolution(x, 6)
    sizes = g.choose([3, 3], [2, 2, 2], [1, 5])
    parts = g.split(x.name, sizes, axis=g.choose(1, -3))
    return Tensor(g.node("Concat", *parts[::-1], parts[0], axis=1), 6 + sizes[0], x.height, x.width)


def _slice(g: OperatorGraph, x: Tensor) -> Tensor:
    start, end, step = g.choose((0, 2**31, 2), (1, -1, 1), (-4, 2**63 - 1, 1), (0, 4, 1))
    axis = g.choose(2, 3, -1)
    constants = [g.constant([value]) for value in (start, end, axis, step)]
    return g.measured(g.node("Slice", x.name, *constants))


def _resize(g: OperatorGraph, x: Tensor) -> Tensor:
    mode = g.choose("nearest", "linear")
    coordinates = g.choose("asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners")
    if mode == "linear" and coordinates == "asymmetric":
        coordinates = "half_pixel"
    attributes: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": coordinates}
    if mode == "nearest":
        attributes["nearest_mode"] = g.choose("floor", "round_prefer_floor")
    factor = g.choose(2, 3, 1)
    if g.choose(True, False):
        scales = g.constant([1, 1, factor, 2], np.float32)
        return g.measured(
            g.node(
                "Resize", x.name, "" if g.opset >= 13 else g.constant([], np.float32), scales, **attributes
            )
        )
    sizes = g.constant([1, x.channels, x.height * factor, x.width + 3])
    empty = ("", "") if g.opset >= 13 else (g.constant([], np.float32), g.constant([], np.float32))
    return g.measured(g.node("Resize", x.name, *empty, sizes, **attributes))


def _pool(g: OperatorGraph, x: Tensor) -> Tensor:
    operator = g.choose("MaxPool", "AveragePool")
    window: dict[str, Any] = {"kernel_shape": g.choose([2, 2], [3, 3], [5, 5])}
    window["strides"] = g.choose([1, 1], [2, 2])
    if g.choose(True, False):
        window["auto_pad"] = g.choose("SAME_UPPER", "SAME_LOWER")
    else:
        window["pads"] = g.choose([0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 1, 1])
        window["ceil_mode"] = g.choose(0, 1) if operator == "MaxPool" else 0
    if operator == "AveragePool":
        window["count_include_pad"] = g.choose(0, 1)
    elif "auto_pad" not in window:
        window["dilations"] = g.choose([1, 1], [2, 2]) if window["kernel_shape"] != [5, 5] else [1, 1]
    return g.measured(g.node(operator, x.name, **window))


def _gate(g: OperatorGraph, x: Tensor) -> Tensor:
    """A squeeze-and-excitation block, with means and fully connected layers of several kinds."""
    means = {
        "pool": lambda: g.node("GlobalAveragePool", x.name),
        "reduce": lambda: g.axes("ReduceMean", x.name, [2, 3], since=18, keepdims=1),
        "negative": lambda: g.axes("ReduceMean", x.name, [-1, -2], since=18, keepdims=1),
    }
    mean = means[g.choose(*means)]()
    if g.choose(True, False):
        row = g.choose(g.node("Flatten", mean), g.axes("Squeeze", mean, [2, 3]))
        inner = g.node("Relu", g.node("Gemm", row, g.reals(4, x.channels), g.reals(4), transB=1))
        outer = g.node("MatMul", inner, g.reals(4, x.channels))
        if g.choose(True, False):
            outer = g.node("Add", outer, g.reals(x.channels))
        mean = g.axes("Unsqueeze", outer, [2, 3])
    return Tensor(g.node("Mul", x.name, g.node("Sigmoid", mean)), *x.shape[1:])


def _attention(g: OperatorGraph, x: Tensor) -> Tensor:
    """Attention over all pixels with two heads, as in YOLO11."""
    places = x.height * x.width
    projected = g.convolution(x, 12)
    heads = g.node("Reshape", projected.name, g.constant(g.choose([1, 2, 6, places], [0, 2, 6, -1])))
    query, key, value = g.split(heads, [2, 2, 2], axis=2)
    scores = g.node("MatMul", g.node("Transpose", query, perm=[0, 1, 3, 2]), key)
    scores = g.node("Softmax", g.node("Mul", scores, g.constant(0.7, np.float32)), axis=3)
    mixed = g.node("MatMul", value, g.node("Transpose", scores, perm=[0, 1, 3, 2]))
    name = g.node("Reshape", mixed, g.constant([1, 4, x.height, x.width]))
    return Tensor(g.node("Concat", x.name, name, axis=1), x.channels + 4, x.height, x.width)


def _rows(g: OperatorGraph, x: Tensor) -> Tensor:
    """A fully connected layer over the channels of each pixel."""
    flat = g.node("Reshape", x.name, g.constant([0, 0, -1]))
    if g.choose(True, False):
        rows = g.node("Transpose", flat, perm=[0, 2, 1])
        back = g.node("Transpose", g.node("MatMul", rows, g.reals(x.channels, 3)), perm=[0, 2, 1])
    else:
        back = g.node("MatMul", g.reals(3, x.channels), flat)
    return Tensor(g.node("Reshape", back, g.constant([1, 3, x.height, x.width])), 3, x.height, x.width)


def _shuffle(g: OperatorGraph, x: Tensor) -> Tensor:
    x = g.convolution(x, 6)
    parts = g.node("Reshape", x.name, g.constant([1, 2, 3, x.height, x.width]))
    mixed = g.node("Transpose", parts, perm=[0, 2, 1, 3, 4])
    return Tensor(g.node("Reshape", mixed, g.constant([-1, 6, x.height, x.width])), *x.shape[1:])


def _pad(g: OperatorGraph, x: Tensor) -> Tensor:
    mode = g.choose("constant", "reflect", "edge")
    pads = g.constant(g.choose([0, 0, 1, 1, 0, 0, 1, 1], [0, 0, 1, 2, 0, 0, 0, 1]))
    value = (g.constant(0.25, np.float32),) if mode == "constant" and g.choose(True, False) else ()
    return g.measured(g.node("Pad", x.name, pads, *value, mode=mode))


def _gather(g: OperatorGraph, x: Tensor) -> Tensor:
    return g.measured(g.node("Gather", x.name, g.constant(g.choose([0, 0], [-1, 0], [0])), axis=1))


def _power(g: OperatorGraph, x: Tensor) -> Tensor:
    squares = g.node("Pow", x.name, g.constant(2.0, np.float32))
    total = g.axes("ReduceMean", squares, [1], since=18, keepdims=1)
    length = g.node("Sqrt", g.node("Add", total, g.constant(0.1, np.float32)))
    return Tensor(g.node("Div", x.name, length), *x.shape[1:])


def _space(g: OperatorGraph, x: Tensor) -> Tensor:
    x = g.convolution(x, 8)
    return g.measured(g.node("DepthToSpace", x.name, blocksize=2, mode=g.choose("DCR", "CRD")))


def _nothing(g: OperatorGraph, x: Tensor) -> Tensor:
    name = g.node("Dropout", g.node("Identity", x.name))
    return Tensor(g.node("Cast", name, to=TensorProto.FLOAT), *x.shape[1:])


def _sizes_computed(g: OperatorGraph, x: Tensor) -> Tensor:
    """Nearest upsampling to twice the size, which the graph computes from the shape as torch exports do."""
    shape = g.node("Shape", x.name)
    sides = [g.node("Gather", shape, g.constant(axis), axis=0) for axis in (2, 3)]
    factor = g.constant(2.0, np.float32)
    doubled = [g.node("Floor", g.node("Mul", g.node("Cast", s, to=TensorProto.FLOAT), factor)) for s in sides]
    whole = [g.axes("Unsqueeze", g.node("Cast", s, to=TensorProto.INT64), [0]) for s in doubled]
    first = g.node("Slice", shape, g.constant([0]), g.constant([2]), g.constant([0]))
    sizes = g.node("Concat", first, *whole, axis=0)
    empty = ("", "") if g.opset >= 13 else (g.constant([], np.float32), g.constant([], np.float32))
    attributes: dict[str, Any] = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    name = g.node("Resize", x.name, *empty, sizes, mode="nearest", **attributes)
    return Tensor(name, x.channels, 2 * x.height, 2 * x.width)


def _grid_computed(g: OperatorGraph, x: Tensor) -> Tensor:
    """A row of column numbers, made by Range, Expand and ConstantOfShape."""
    width = g.node("Gather", g.node("Shape", x.name), g.constant(3), axis=0)
    columns = g.node("Cast", g.node("Range", g.constant(0), width, g.constant(1)), to=TensorProto.FLOAT)
    grid = g.node("Expand", columns, g.constant([x.height, 1]))
    zeros = g.node("ConstantOfShape", g.node("Shape", x.name))
    small = g.node("Div", grid, g.constant(20.0, np.float32))
    return Tensor(g.node("Add", g.node("Add", x.name, zeros), small), *x.shape[1:])


BLOCKS = (
    _activation,
    _attention,
    _constant_operand,
    _conv_transpose,
    _convolution,
    _gate,
    _gather,
    _grid_computed,
    _normalized,
    _nothing,
    _pad,
    _pool,
    _power,
    _rep_block,
    _resize,
    _rows,
    _shuffle,
    _sizes_computed,
    _slice,
    _space,
    _split_and_joined,
    _two_branches,
)
LARGEST = 30  # pixels; no further block makes a picture this wide larger


@st.composite
def operator_graphs(draw: Callable[[st.SearchStrategy[Any]], Any]) -> onnx.ModelProto:
    """Graphs of one to three blocks between convolutions, with two heads, of which one has a sigmoid."""
    g = OperatorGraph(draw, draw(OPSETS))
    x = g.convolution(Tensor("images", 3, HEIGHT, WIDTH), g.choose(2, 4), 3)
    for block in draw(st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=3)):
        if min(x.height, x.width) > 6 and max(x.height, x.width) < LARGEST:
            x = block(g, x)
            g.known.append(x)
    heads = [g.convolution(x, 4).name, g.convolution(x, 2).name]
    return g.model([heads[0], g.node("Sigmoid", heads[1]), heads[1]])


def save(model: onnx.ModelProto, path: Path) -> Path:
    """Write a model and return its path."""
    onnx.save(model, str(path))
    return path
