"""Folding of batch normalization, and of other products and sums per channel, into the convolution before.

Exact, since a convolution is linear: gain * (w * x + b) + shift = (gain * w) * x + (gain * b + shift). A
batch normalization after another operator becomes a 1 x 1 depthwise convolution, which every engine computes
on integers.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from edgeagent.qat.core.operator_kinds import CONVOLUTIONS
from edgeagent.qat.graph.draft import Draft
from edgeagent.qat.graph.node import Constant, Node
from edgeagent.qat.graph.normal_form.arithmetic import AFFINE

FOLD_TARGETS = CONVOLUTIONS | {"Gemm"}
"""Operators with a bias per output channel."""


@dataclass(frozen=True)
class ByChannel:
    """Linear function per channel: y = gain * x + shift, with gain and shift (channels,) or (1,).

    Attributes:
        x: name of the tensor that the node reads.
        gain: factors.
        shift: addends.
    """

    x: str
    gain: Constant
    shift: Constant


def fold_affine(draft: Draft, kept: Collection[str]) -> bool:
    """Fold linear functions per channel into the convolution before them; return whether anything changed.

    Args:
        draft: changed in place.
        kept: outputs of convolutions into which only batch normalization is folded.
    """
    readers = draft.readers()
    writers = {node.outputs[0]: node for node in draft.nodes if node.operator in FOLD_TARGETS}
    folded: dict[str, Node] = {}
    gone: set[str] = set()
    for node in draft.nodes:
        found = by_channel(node, draft)
        if found is None or found.x not in writers or writers[found.x].name in folded:
            continue
        if len(readers[found.x]) > 1 or (node.operator != AFFINE and found.x in kept):
            continue
        folded[writers[found.x].name] = _folded(writers[found.x], node, found, draft)
        draft.aliases[found.x] = node.outputs[0]
        gone.add(node.name)
    draft.nodes = [folded.get(node.name, node) for node in draft.nodes if node.name not in gone]
    return bool(gone)


def by_channel(node: Node, draft: Draft) -> ByChannel | None:
    """Return a node as a linear function per channel; None when it is not one."""
    if node.operator == AFFINE:
        gain, shift = (draft.constants[name] for name in node.inputs[1:])
        return ByChannel(node.inputs[0], gain, shift)
    if node.operator not in ("Add", "Mul"):
        return None
    values = [name for name in node.inputs if name in draft.constants]
    tensors = [name for name in node.inputs if name not in draft.constants]
    if len(values) != 1 or draft.shape(tensors[0]) != draft.shape(node.outputs[0]):
        return None
    value, rank = draft.constants[values[0]], len(draft.shape(tensors[0]))
    padded = (1,) * (rank - value.ndim) + value.shape
    if rank < 2 or len(padded) != rank or value.size != padded[1]:
        return None
    flat = value.ravel()
    if node.operator == "Add":
        return ByChannel(tensors[0], np.ones(1, np.float32), flat)
    return ByChannel(tensors[0], flat, np.zeros(1, np.float32))


def _folded(convolution: Node, node: Node, found: ByChannel, draft: Draft) -> Node:
    weight = draft.constants[convolution.inputs[1]].astype(np.float64)
    axis = 1 if convolution.operator == "ConvTranspose" else 0
    outputs = draft.shape(node.outputs[0])[1]
    gain, shift = (np.broadcast_to(v.astype(np.float64), outputs) for v in (found.gain, found.shift))
    if axis:  # (inputs, outputs / groups, ...): every group of inputs has outputs of its own
        groups = convolution.attributes["group"]
        rows = gain.reshape(groups, 1, -1).repeat(len(weight) // groups, 1).reshape(len(weight), -1)
        weight = weight * rows[..., None, None]
    else:
        weight = weight * gain.reshape(-1, *[1] * (weight.ndim - 1))
    bias = draft.constants[convolution.inputs[2]] if len(convolution.inputs) > 2 else np.zeros(outputs)
    constants = (
        draft.constant(f"{convolution.name}.weight", weight),
        draft.constant(f"{convolution.name}.bias", gain * bias + shift),
    )
    return replace(convolution, inputs=(convolution.inputs[0], *constants), outputs=node.outputs)


def lower_affine(draft: Draft) -> None:
    """Replace the remaining batch normalizations by depthwise convolutions, or by products and sums."""
    nodes: list[Node] = []
    for node in draft.nodes:
        if node.operator != AFFINE:
            nodes.append(node)
        elif len(draft.shape(node.inputs[0])) == 4:
            nodes.append(depthwise(node, draft))
        else:
            nodes += _product_and_sum(node, draft)
    draft.nodes = nodes


def depthwise(node: Node, draft: Draft) -> Node:
    """Return an affine node as a 1 x 1 depthwise convolution."""
    gain, shift = (draft.constants[name] for name in node.inputs[1:])
    weight = draft.constant(f"{node.name}.weight", gain.reshape(-1, 1, 1, 1))
    attributes = {
        "kernel_shape": [1, 1],
        "strides": [1, 1],
        "dilations": [1, 1],
        "pads": [0, 0, 0, 0],
        "group": len(gain),
    }
    return Node(
        node.name,
        "Conv",
        (node.inputs[0], weight, draft.constant(f"{node.name}.bias", shift)),
        node.outputs,
        attributes,
    )


def _product_and_sum(node: Node, draft: Draft) -> list[Node]:
    shape = draft.shape(node.inputs[0])
    column = (-1, *[1] * (len(shape) - 2))
    gain = draft.constant(f"{node.name}.gain", draft.constants[node.inputs[1]].reshape(column))
    shift = draft.constant(f"{node.name}.shift", draft.constants[node.inputs[2]].reshape(column))
    product = f"{node.outputs[0]}/product"
    draft.shapes[product] = shape
    return [
        Node(f"{node.name}/product", "Mul", (node.inputs[0], gain), (product,), {}),
        Node(node.name, "Add", (product, shift), node.outputs, {}),
    ]
