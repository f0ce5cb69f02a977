"""Gates of HardSigmoid and HardSwish as convolutions.

HardSwish is x * clip(x + 3, 0, 6) / 6. Its gate is a 1 x 1 depthwise convolution, clamped::

    gate = clip(w * x + b, 0, 1)     w = 1/6, b = 1/2 per channel
    y    = x * gate

This is exact, takes two integer operators instead of four, rounds twice less, and has a weight per channel:
channels of x may be scaled before it and scaled back in it (:mod:`edgeagent.qat.ptq.equalization`), which a
sum with one constant does not allow. A HardSigmoid after a convolution, the gate of squeeze-and-excitation,
is absorbed by that convolution; only the clamp remains, and the grid of 0..1 makes it redundant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.node import Constant, Node

TOLERANCE = 1e-5  # of the upper bound of a gate, 1


@dataclass(frozen=True)
class _Gate:
    """Gate found in a graph.

    Attributes:
        linear: Add of a constant, or Conv, before the clamp.
        clip: clamp.
        product: Mul of a tensor and the clamped one; None where the clamped one is scaled first.
        scale: Mul by a constant, whose output replaces that of the node before.
        factor: that constant.
    """

    linear: Node
    clip: Node
    product: Node | None
    scale: Node
    factor: float


def gates_as_convolutions(graph: Graph) -> Graph:
    """Return the graph with the gates of HardSigmoid and HardSwish as clamped convolutions."""
    constants = dict(graph.constants)
    replaced: dict[str, Node | None] = {}
    for gate in _find(graph):
        bounds = (
            _store(constants, f"{gate.clip.name}.low", 0.0),
            _store(constants, f"{gate.clip.name}.one", 1),
        )
        clip = replace(gate.clip, inputs=(gate.clip.inputs[0], *bounds))
        if gate.product is None:
            clip = replace(clip, outputs=gate.scale.outputs)
        else:
            replaced[gate.product.name] = replace(gate.product, outputs=gate.scale.outputs)
        replaced[gate.clip.name], replaced[gate.scale.name] = clip, None
        replaced[gate.linear.name] = _convolution(graph, gate, constants)
    if not replaced:
        return graph
    changed = (replaced.get(node.name, node) for node in graph.nodes)
    nodes = tuple(node for node in changed if node is not None)
    used = {name for node in nodes for name in node.inputs}
    computed = {graph.input, *(name for node in nodes for name in node.outputs)}
    return replace(
        graph,
        nodes=nodes,
        constants={name: array for name, array in constants.items() if name in used},
        shapes={name: shape for name, shape in graph.shapes.items() if name in computed},
    )


def hard_swish_gates(graph: Graph) -> frozenset[str]:
    """Return the names of the clamped gates of all HardSwish functions."""
    readers = graph.consumers()
    return frozenset(
        readers[node.outputs[0]][0].outputs[0]
        for node in graph.nodes
        if node.operator == "Conv" and is_hard_swish_gate(graph.constants, readers, node)
    )


def hard_swish_offsets(graph: Graph) -> dict[str, Constant]:
    """Return where the HardSwish of each tensor begins, (channels,): -b / w of its gate; it is 0 below."""
    found: dict[str, Constant] = {}
    readers = graph.consumers()
    for node in graph.nodes:
        if node.operator == "Conv" and is_hard_swish_gate(graph.constants, readers, node):
            weight, bias = (graph.constants[name] for name in node.inputs[1:3])
            found[node.inputs[0]] = -bias / np.maximum(weight.reshape(-1), 1e-12)
    return found


def is_hard_swish_gate(
    constants: Mapping[str, Constant], readers: Mapping[str, list[Node]], node: Node
) -> bool:
    """Return whether a Conv is the gate of a HardSwish: clamped to 0..1 and multiplied with its input."""
    clips = readers.get(node.outputs[0], [])
    if len(clips) != 1 or not is_unit_clip(constants, clips[0]):
        return False
    products = readers.get(clips[0].outputs[0], [])
    return any(one.operator == "Mul" and node.inputs[0] in one.inputs for one in products)


def is_unit_clip(constants: Mapping[str, Constant], node: Node) -> bool:
    """Return whether a node clamps to 0..1."""
    bounds = [constants.get(name) for name in node.inputs[1:]]
    if node.operator != "Clip" or len(bounds) != 2 or bounds[0] is None or bounds[1] is None:
        return False
    return float(bounds[0]) == 0 and float(bounds[1]) == 1


def _find(graph: Graph) -> list[_Gate]:
    readers = graph.consumers()
    writers = {output: node for node in graph.nodes for output in node.outputs}
    heads = {head.tensor for head in graph.heads}

    def only_reader(tensor: str) -> Node | None:
        found = readers.get(tensor, [])
        return found[0] if len(found) == 1 and tensor not in heads else None

    found = []
    for clip in graph.nodes:
        linear = writers.get(clip.inputs[0]) if clip.operator == "Clip" and len(clip.inputs) == 3 else None
        if linear is None or only_reader(linear.outputs[0]) is not clip or not _is_linear(graph, linear):
            continue
        scale, product = only_reader(clip.outputs[0]), None
        if scale is not None and _factor(graph, scale) is None and scale.operator == "Mul":
            product, scale = scale, only_reader(scale.outputs[0])
        factor = None if scale is None else _factor(graph, scale)
        bounds = [graph.constants.get(name) for name in clip.inputs[1:]]
        if scale is None or factor is None or bounds[0] is None or bounds[1] is None:
            continue
        if float(bounds[0]) == 0 and abs(float(bounds[1]) * factor - 1) < TOLERANCE:
            found.append(_Gate(linear, clip, product, scale, factor))
    return found


def _is_linear(graph: Graph, node: Node) -> bool:
    """Return whether a node is a Conv with constants of its own, or a 4-D sum with one number."""
    if node.operator == "Conv":
        return len(node.inputs) == 3
    values = [graph.constants[name] for name in node.inputs if name in graph.constants]
    four = len(graph.shapes.get(node.outputs[0], ())) == 4
    return node.operator == "Add" and four and len(values) == 1 and values[0].size == 1


def _factor(graph: Graph, node: Node) -> float | None:
    """Return the number that a Mul multiplies with; None for another node."""
    values = [graph.constants[name] for name in node.inputs if name in graph.constants]
    is_factor = node.operator == "Mul" and len(values) == 1 and values[0].size == 1
    return float(values[0].ravel()[0]) if is_factor else None


def _convolution(graph: Graph, gate: _Gate, constants: dict[str, Constant]) -> Node:
    node = gate.linear
    if node.operator == "Conv":
        names = tuple(
            _store(constants, f"{name}.gate", graph.constants[name] * gate.factor) for name in node.inputs[1:]
        )
        return replace(node, inputs=(node.inputs[0], *names))
    (x,) = (name for name in node.inputs if name not in graph.constants)
    (offset,) = (graph.constants[name] for name in node.inputs if name in graph.constants)
    channels = graph.shapes[node.outputs[0]][1]
    weight = _store(constants, f"{node.name}.weight", np.full((channels, 1, 1, 1), gate.factor))
    bias = _store(constants, f"{node.name}.bias", np.full(channels, float(offset.ravel()[0]) * gate.factor))
    attributes = {
        "kernel_shape": [1, 1],
        "strides": [1, 1],
        "dilations": [1, 1],
        "pads": [0, 0, 0, 0],
        "group": channels,
    }
    return Node(node.name, "Conv", (x, weight, bias), node.outputs, attributes)


def _store(constants: dict[str, Constant], name: str, value: object) -> str:
    constants[name] = np.asarray(value, np.float32)
    return name
