"""Folding of the focus layer of YOLOX and YOLOv5 into the convolution after it.

A focus layer splits the picture into four, each with every second row and column, stacks them along the
channels and convolves the stack. This equals one convolution of the picture with twice the kernel, stride and
padding, whose weights are the same numbers in another order: exact, also at the border, and with the same
codes on an 8-bit grid. Four strided slices and a concat are saved. An Edge TPU cannot run these slices, and
as they come first, it would leave the whole network to the CPU.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.node import Constant, Node

Offset = tuple[int, int]


def fold_focus(graph: Graph) -> Graph:
    """Return the graph with its focus layer folded; unchanged if it has none."""
    readers = graph.consumers()
    for stack in graph.nodes:
        after = readers[stack.outputs[0]]
        offsets = _offsets(graph, stack)
        if offsets is None or len(after) != 1 or not _foldable(after[0]):
            continue
        convolution = after[0]
        weight = f"{convolution.inputs[1]}.focus"
        folded = replace(
            convolution,
            inputs=(graph.input, weight, *convolution.inputs[2:]),
            attributes=_doubled(convolution, graph.constants[convolution.inputs[1]]),
        )
        nodes = [folded if node is convolution else node for node in graph.nodes if node is not stack]
        nodes = _without_unread(nodes, {head.tensor for head in graph.heads})
        constants = {**graph.constants, weight: _spread(graph.constants[convolution.inputs[1]], offsets)}
        used = {name for node in nodes for name in node.inputs}
        kept = {name: array for name, array in constants.items() if name in used}
        computed = {graph.input, *(name for node in nodes for name in node.outputs)}
        shapes = {name: shape for name, shape in graph.shapes.items() if name in computed}
        return replace(graph, nodes=tuple(nodes), constants=kept, shapes=shapes)
    return graph


def _offsets(graph: Graph, stack: Node) -> list[Offset] | None:
    """Return (row, column) of the first pixel of each part of a focus layer; None for another node."""
    if stack.operator != "Concat" or stack.attributes["axis"] != 1 or len(stack.inputs) != 4:
        return None
    producers = {output: node for node in graph.nodes for output in node.outputs}
    found = []
    for tensor in stack.inputs:
        starts: dict[int, int] = {}
        while tensor != graph.input:
            node = producers.get(tensor)
            cut = None if node is None else _every_second(node, graph)
            if node is None or cut is None or starts.keys() & cut.keys():
                return None
            starts |= cut
            tensor = node.inputs[0]
        if starts.keys() != {2, 3}:
            return None
        found.append((starts[2], starts[3]))
    even = all(size % 2 == 0 for size in graph.input_shape[2:])
    return found if even and set(found) == {(0, 0), (0, 1), (1, 0), (1, 1)} else None


def _every_second(node: Node, graph: Graph) -> dict[int, int] | None:
    """Return the first index by axis of a Slice that takes every second element; None for another node."""
    if node.operator != "Slice" or len(node.inputs) != 5:
        return None
    starts, ends, axes, steps = (graph.constants.get(name) for name in node.inputs[1:])
    if starts is None or ends is None or axes is None or steps is None:
        return None
    sizes = np.array([graph.input_shape[int(axis)] for axis in axes])
    if not (steps == 2).all() or not (ends >= sizes).all() or not ((starts == 0) | (starts == 1)).all():
        return None
    return {int(axis): int(start) for axis, start in zip(axes, starts, strict=True)}


def _foldable(node: Node) -> bool:
    attributes = node.attributes
    plain = attributes.get("group", 1) == 1 and set(attributes.get("dilations", (1, 1))) == {1}
    return node.operator == "Conv" and plain and attributes.get("auto_pad", b"NOTSET") == b"NOTSET"


def _doubled(convolution: Node, weight: Constant) -> dict[str, object]:
    attributes = convolution.attributes
    return {
        **attributes,
        "kernel_shape": [2 * size for size in weight.shape[2:]],
        "strides": [2 * size for size in attributes.get("strides", (1, 1))],
        "pads": [2 * size for size in attributes.get("pads", (0, 0, 0, 0))],
    }


def _spread(weight: Constant, offsets: list[Offset]) -> Constant:
    """Return the weight (out, 3, 2k, 2k) of the picture from that (out, 12, k, k) of the stack."""
    outputs, stacked, height, width = weight.shape
    channels = stacked // len(offsets)
    spread = np.empty((outputs, channels, 2 * height, 2 * width), weight.dtype)
    for part, (row, column) in enumerate(offsets):
        spread[:, :, row::2, column::2] = weight[:, part * channels : (part + 1) * channels]
    return spread


def _without_unread(nodes: list[Node], wanted: set[str]) -> list[Node]:
    read, kept = set(wanted), []
    for node in reversed(nodes):
        if read.intersection(node.outputs):
            read.update(node.inputs)
            kept.append(node)
    return kept[::-1]
