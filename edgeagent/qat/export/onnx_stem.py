"""Picture and first convolution of an ONNX artefact: half the size, four times the channels.

A convolution of the picture with kernel 2k x 2k and stride 2 equals one of the folded picture with kernel
k x k and stride 1, whose weights are the same codes in another order: every output is the same sum of
integers. The picture is folded while its channels are last, by slices of every second row and one Concat of
pairs of pixels::

    (1, h, w, c) -> two times (1, h / 2, w, c) -> two times (1, h / 2, w / 2, 2 c) -> (1, h / 2, w / 2, 4 c)

ONNX has SpaceToDepth for this; ONNX Runtime has it for 8-bit codes in new releases only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.node import Node

BLOCK = 2

Constant = Callable[[str, npt.NDArray[np.int64]], str]
"""Writes an initializer and returns its name."""


def find_stem(graph: Graph) -> Node | None:
    """Return the first convolution if it can read the folded picture; None otherwise."""
    readers = graph.consumers()[graph.input]
    if len(readers) != 1 or readers[0].operator != "Conv":
        return None
    (node,) = readers
    attributes, kernel = node.attributes, np.shape(graph.constants[node.inputs[1]])[2:]
    plain = attributes.get("group", 1) == 1 and set(attributes.get("dilations", (1, 1))) == {1}
    doubled = all(size % BLOCK == 0 for size in (*kernel, *attributes.get("pads", (0,) * 4)))
    even = all(size % BLOCK == 0 for size in graph.input_shape[2:])
    stated = attributes.get("auto_pad", b"NOTSET") == b"NOTSET"
    stride = tuple(attributes.get("strides", (1, 1))) == (BLOCK, BLOCK)
    return node if plain and doubled and even and stated and stride and len(kernel) == BLOCK else None


def fold_picture(graph: Graph, picture: str, codes: str, constant: Constant) -> list[onnx.NodeProto]:
    """Return the nodes from the picture, channels last, to its folded codes, channels first."""
    _, channels, height, width = graph.input_shape
    wide = constant("fold_wide", np.array([1, height // BLOCK, width // BLOCK, BLOCK * channels]))
    bounds = [constant("fold_end", np.array([height])), constant("fold_axis", np.array([1]))]
    step = constant("fold_step", np.array([BLOCK]))
    nodes, rows = [], []
    for row in range(BLOCK):
        slice_inputs = [picture, constant(f"fold_row{row}", np.array([row])), *bounds, step]
        nodes.append(helper.make_node("Slice", slice_inputs, [f"{picture}_row{row}"], f"{picture}_row{row}"))
        rows.append(f"{picture}_row{row}_wide")
        nodes.append(helper.make_node("Reshape", [f"{picture}_row{row}", wide], rows[-1:], rows[-1]))
    stack = f"{picture}_folded"
    nodes.append(helper.make_node("Concat", rows, [stack], stack, axis=3))
    nodes.append(helper.make_node("Transpose", [stack], [codes], "picture_nchw", perm=[0, 3, 1, 2]))
    return nodes


def halved_attributes(node: Node) -> dict[str, object]:
    """Return the attributes of the convolution on the folded picture."""
    pads = node.attributes.get("pads", (0,) * 4)
    return {
        **{name: value for name, value in node.attributes.items() if name != "kernel_shape"},
        "strides": [1, 1],
        "pads": [size // BLOCK for size in pads],
    }


def halved_weight(weight: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Return the weight (out, 4 c, k, k) of the folded picture from that (out, c, 2k, 2k) of the picture."""
    outputs, channels, height, width = weight.shape
    parts = weight.reshape(outputs, channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return np.ascontiguousarray(parts.transpose(0, 3, 5, 1, 2, 4)).reshape(
        outputs, channels * BLOCK * BLOCK, height // BLOCK, width // BLOCK
    )
