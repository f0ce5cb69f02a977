"""Head of a classifier: the last linear layer as a 1 x 1 convolution, so that the cut finds it.

::

    ... -> Flatten -> Gemm, or MatMul [-> Add] [-> Softmax, LogSoftmax, Sigmoid, Reshape] -> (1, classes)

A graph ends so only in a classifier: its only result is one row of numbers. Layers of that form inside a
detector stay for the cut as they are.
"""

from __future__ import annotations

import numpy as np

from edgeagent.qat.graph.as_convolution import POINT
from edgeagent.qat.graph.draft import Draft
from edgeagent.qat.graph.node import Node

BEHIND = frozenset({"Softmax", "LogSoftmax", "Sigmoid", "Reshape", "Identity", "Flatten", "Squeeze"})
"""Operators that a classifier may have behind its last linear layer."""
LINEAR = frozenset({"Gemm", "MatMul"})


def lower_classifier(draft: Draft) -> None:
    """Replace the last linear layer of a classifier in a draft; any other graph stays as it is."""
    last = _last_layer(draft)
    if last is None:
        return
    position, linear, bias = last
    weight = draft.constants[linear.inputs[1]]
    if linear.operator == "MatMul":
        weight = weight.T
    outputs, inputs = weight.shape
    result = draft.nodes[position] if bias else linear
    constants = [draft.constant(f"{linear.name}.weight", weight[:, :, None, None])]
    if bias:
        constants.append(draft.constant(f"{linear.name}.bias", draft.constants[bias].reshape(-1)))
    elif linear.operator == "Gemm" and len(linear.inputs) > 2:
        constants.append(linear.inputs[2])
    pixel, sums = f"{linear.outputs[0]}/pixel", f"{linear.outputs[0]}/scores"
    draft.shapes |= {pixel: (1, inputs, 1, 1), sums: (1, outputs, 1, 1)}
    shapes = [
        draft.constant(f"{linear.name}.pixel", (1, inputs, 1, 1), np.int64),
        draft.constant(f"{linear.name}.row", draft.shape(result.outputs[0]), np.int64),
    ]
    lowered = [
        Node(f"{linear.name}/pixel", "Reshape", (linear.inputs[0], shapes[0]), (pixel,), {}),
        Node(linear.name, "Conv", (pixel, *constants), (sums,), dict(POINT)),
        Node(f"{linear.name}/row", "Reshape", (sums, shapes[1]), result.outputs, {}),
    ]
    before = [node for node in draft.nodes[:position] if node is not linear]
    behind = [node for node in draft.nodes[position + 1 :] if node is not linear]
    draft.nodes = [*before, *lowered, *behind]


def _last_layer(draft: Draft) -> tuple[int, Node, str] | None:
    """Return the place of the last node of the layer, its Gemm or MatMul, and the name of an added bias."""
    readers = draft.readers()
    ends = [node for node in draft.nodes if not any(readers[name] for name in node.outputs)]
    writers = {name: node for node in draft.nodes for name in node.outputs}
    if len(ends) != 1:
        return None
    node: Node | None = ends[0]
    while node is not None and node.operator in BEHIND:
        node = writers.get(node.inputs[0])
    if node is None:
        return None
    last, bias = node, ""
    if node.operator == "Add":
        known = [name for name in node.inputs if name in draft.constants]
        computed = [name for name in node.inputs if name not in draft.constants]
        if len(known) != 1 or draft.constants[known[0]].size != draft.shape(node.outputs[0])[-1]:
            return None
        bias, node = known[0], writers.get(computed[0])
    if node is None or not _is_row(node, draft) or len(readers[node.outputs[0]]) > 1:
        return None
    return draft.nodes.index(last), node, bias


def _is_row(node: Node, draft: Draft) -> bool:
    """Return whether a node multiplies one row of numbers with a constant matrix."""
    if node.operator not in LINEAR or node.name in draft.problems or node.inputs[1] not in draft.constants:
        return False
    weight, shape = draft.constants[node.inputs[1]], draft.shape(node.inputs[0])
    rows = len(shape) > 1 and all(size == 1 for size in shape[:-1])
    return weight.ndim == 2 and rows and shape[-1] in weight.shape
