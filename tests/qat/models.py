"""Small float detectors, built as ONNX graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 64
YOLOX_DESCRIPTION = f"""\
name: small
version: 1.0.0
task: detection
labels: [a, b, c]
input: {{width: {SIZE}, height: {SIZE}, layout: nhwc, colour: bgr}}
decoder: {{family: yolox, strides: [8, 16]}}
licence: Apache-2.0
attribution: made by the tests
"""
"""Description of :func:`small_yolox`."""


class GraphBuilder:
    """Collects nodes and random weights; each method returns the name of its output tensor."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        names = [f"{operator.lower()}{len(self.nodes)}_{k}" for k in range(outputs)]
        name = f"{operator}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, names, name, **attributes))
        return names[0]

    def constant(self, value: object, dtype: type = np.int64) -> str:
        name = f"constant{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def conv(
        self, x: str, channels: tuple[int, int], kernel: int = 1, stride: int = 1, group: int = 1
    ) -> str:
        inputs, outputs = channels
        shape = (outputs, inputs // group, kernel, kernel)
        # channels of very different size, as folded batch normalization leaves them
        gain = np.exp(self.random.normal(0, 1, (outputs, 1, 1, 1)))
        weight = gain * self.random.normal(0, np.prod(shape[1:]) ** -0.5, shape)
        pad = kernel // 2
        return self.node(
            "Conv",
            x,
            self.constant(weight, np.float32),
            self.constant(self.random.normal(0, 0.3, outputs), np.float32),
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[pad] * 4,
            group=group,
        )

    def silu(self, x: str) -> str:
        return self.node("Mul", x, self.node("Sigmoid", x))

    def save(
        self,
        path: Path,
        outputs: dict[str, tuple[int, ...]],
        opset: int = 13,
        inputs: dict[str, tuple[int, ...]] | None = None,
    ) -> Path:
        given = {"images": (1, 3, SIZE, SIZE), **(inputs or {})}
        pictures = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in given.items()]
        values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()]
        graph = helper.make_graph(self.nodes, "test", pictures, values, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, str(path))
        return path


def small_yolox(path: Path, classes: int = 3, opset: int = 13) -> Path:
    """A YOLOX-like network of two scales: focus slices, SiLU, depthwise, pool, resize, concat, residual."""
    g = GraphBuilder()
    axes, step = g.constant([2, 3]), g.constant([2, 2])
    far = g.constant([2**31, 2**31])
    focus = [g.node("Slice", "images", g.constant([y, x]), far, axes, step) for y in (0, 1) for x in (0, 1)]
    stem = g.silu(g.conv(g.node("Concat", *focus, axis=1), (12, 8), 3))
    down = g.silu(g.conv(g.silu(g.conv(stem, (8, 8), 3, 2, group=8)), (8, 16)))
    residual = g.node("Add", down, g.silu(g.conv(down, (16, 16), 3)))
    fine = g.silu(g.conv(residual, (16, 16), 3, 2))
    pooled = g.node("MaxPool", fine, kernel_shape=[5, 5], strides=[1, 1], pads=[2, 2, 2, 2])
    fine = g.node("Concat", fine, pooled, axis=1)
    coarse = g.silu(g.conv(fine, (32, 16), 3, 2))
    scales = g.constant([1.0, 1.0, 2.0, 2.0], np.float32)
    up = g.node("Resize", coarse, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric")
    fine = g.silu(g.conv(g.node("Concat", fine, up, axis=1), (48, 16)))
    heads = []
    for tensor in (fine, coarse):
        box, objectness, scores = (g.conv(tensor, (16, n)) for n in (4, 1, classes))
        head = g.node("Concat", box, g.node("Sigmoid", objectness), g.node("Sigmoid", scores), axis=1)
        heads.append(g.node("Reshape", head, g.constant([1, 5 + classes, -1])))
    rows = g.node("Transpose", g.node("Concat", *heads, axis=2), perm=[0, 2, 1])
    cells = (SIZE // 8) ** 2 + (SIZE // 16) ** 2
    return g.save(path, {rows: (1, cells, 5 + classes)}, opset)


def small_relu_net(path: Path) -> Path:
    """Relu, Clip and LeakyRelu behind convolutions, a linear resize, a split and a transposed head."""
    g = GraphBuilder(1)
    x = g.node("Relu", g.conv("images", (3, 8), 3, 2))
    x = g.node("Clip", g.conv(x, (8, 8), 3, 2), g.constant(0.0, np.float32), g.constant(6.0, np.float32))
    x = g.node("LeakyRelu", g.conv(x, (8, 16), 3, 2), alpha=0.1)
    left = g.node("Split", x, g.constant([8, 8]), outputs=2, axis=1)
    right = left[:-1] + "1"
    scales = g.constant([1.0, 1.0, 2.0, 2.0], np.float32)
    up = g.node("Resize", right, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")
    head = g.conv(g.conv(up, (8, 8)), (8, 4))
    other = g.node("Sigmoid", g.conv(left, (8, 2)))
    flat = g.node("Transpose", g.node("Reshape", head, g.constant([1, 4, -1])), perm=[0, 2, 1])
    return g.save(path, {flat: (1, 256, 4), other: (1, 2, 8, 8)})


def small_nanodet(path: Path, sizes: tuple[int, int] | None = (3, 8)) -> Path:
    """One convolution per scale predicts scores and distances, which are split behind it."""
    g = GraphBuilder(2)
    x = g.node("LeakyRelu", g.conv(g.node("Relu", g.conv("images", (3, 8), 3, 2)), (8, 16), 3, 4), alpha=0.1)
    coarse = g.node("LeakyRelu", g.conv(x, (16, 16), 3, 2), alpha=0.1)
    outputs: dict[str, tuple[int, ...]] = {}
    for feature, cells in ((x, SIZE // 8), (coarse, SIZE // 16)):
        parts = sizes or (4, 4)
        both = g.conv(feature, (16, sum(parts)))
        arguments = (both, g.constant(sizes)) if sizes else (both,)
        scores = g.node("Split", *arguments, outputs=2, axis=1)
        outputs[g.node("Sigmoid", scores)] = (1, parts[0], cells, cells)
        distances = g.node("Reshape", scores[:-1] + "1", g.constant([1, parts[1], -1]))
        outputs[distances] = (1, parts[1], cells * cells)
    return g.save(path, outputs)


def small_shufflenet(path: Path, blocks: int = 3) -> Path:
    """Blocks that split the channels, work on one half, join and shuffle: all of one shape and one grid."""
    g = GraphBuilder(4)
    x = g.node("Relu", g.conv("images", (3, 16), 3, 4))
    cells = SIZE // 4
    for _ in range(blocks):
        left = g.node("Split", x, g.constant([8, 8]), outputs=2, axis=1)
        worked = g.node("Relu", g.conv(left[:-1] + "1", (8, 8)))
        worked = g.node("Relu", g.conv(g.conv(worked, (8, 8), 3, group=8), (8, 8)))
        joined = g.node("Concat", left, worked, axis=1)
        pairs = g.node("Reshape", joined, g.constant([1, 2, 8, cells, cells]))
        turned = g.node("Transpose", pairs, perm=[0, 2, 1, 3, 4])
        x = g.node("Reshape", turned, g.constant([1, 16, cells, cells]))
    return g.save(path, {g.conv(x, (16, 4)): (1, 4, cells, cells)})
