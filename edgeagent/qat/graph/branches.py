"""Re-parameterization: parallel linear branches of one tensor, joined into one convolution.

RepVGG, QARepVGG and similar networks train a 3 x 3 convolution, a 1 x 1 convolution and the identity in
parallel and add their outputs. A sum of convolutions of one tensor is one convolution, whose kernel is the
sum of the kernels, each padded to the largest. Quantized separately, each branch and the sum would be
rounded.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from edgeagent.qat.graph.batch_norm_folding import depthwise
from edgeagent.qat.graph.draft import Draft
from edgeagent.qat.graph.node import Constant, Node
from edgeagent.qat.graph.normal_form.arithmetic import AFFINE


def join_branches(draft: Draft, kept: Collection[str]) -> bool:
    """Join sums of two linear branches of one tensor; return whether anything changed.

    Args:
        draft: changed in place.
        kept: tensors that must remain.
    """
    readers = draft.readers()
    writers = {node.outputs[0]: node for node in draft.nodes}
    replaced: dict[str, Node] = {}
    gone: set[str] = set()
    for node in draft.nodes:
        if node.operator != "Add" or len(set(node.inputs)) != 2 or set(node.inputs) & draft.constants.keys():
            continue
        linear = [
            writers[name]
            for name in node.inputs
            if name in writers
            and writers[name].operator in ("Conv", AFFINE)
            and len(readers[name]) == 1
            and name not in kept
            and writers[name].name not in replaced | dict.fromkeys(gone)
        ]
        joined = _joined(node, linear, draft)
        if joined is None:
            continue
        replaced[node.name] = joined
        gone.update(branch.name for branch in linear)
        draft.aliases.update((branch.outputs[0], node.outputs[0]) for branch in linear)
    draft.nodes = [replaced.get(node.name, node) for node in draft.nodes if node.name not in gone]
    return bool(gone)


def _joined(node: Node, linear: list[Node], draft: Draft) -> Node | None:
    """Return the convolution equal to a sum of branches; None when they cannot be joined exactly."""
    if not any(branch.operator == "Conv" for branch in linear):
        return None
    sources = {branch.inputs[0] for branch in linear}
    if len(linear) == 1:  # the other operand must be the input of this branch
        sources |= set(node.inputs) - {linear[0].outputs[0]}
    if len(sources) != 1:
        return None
    convolutions = [depthwise(branch, draft) if branch.operator == AFFINE else branch for branch in linear]
    if len(convolutions) == 1:
        convolutions.append(_identity(sources.pop(), node, draft))
    convolutions.sort(key=lambda c: np.prod(draft.constants[c.inputs[1]].shape[2:]), reverse=True)
    large, small = convolutions
    return _sum(large, small, node, draft)


def _identity(x: str, node: Node, draft: Draft) -> Node:
    channels = draft.shape(x)[1]
    ones, zeros = (draft.constant(f"{node.name}.{n}", np.full(channels, n)) for n in (1, 0))
    return depthwise(Node(node.name, AFFINE, (x, ones, zeros), node.outputs, {}), draft)


def _sum(large: Node, small: Node, node: Node, draft: Draft) -> Node | None:
    """Add the smaller kernel to the larger one if both read the same pixels at every step."""
    wide, narrow = (draft.constants[c.inputs[1]].astype(np.float64) for c in (large, small))
    groups = large.attributes["group"]
    offset = [a - b for a, b in zip(large.attributes["pads"], small.attributes["pads"], strict=True)]
    dilation = large.attributes["dilations"]
    single = narrow.shape[2:] == (1, 1)
    if (
        large.attributes["strides"] != small.attributes["strides"]
        or (not single and dilation != small.attributes["dilations"])
        or small.attributes["group"] % groups
        or len(wide) != len(narrow)
        or min(offset) < 0
        or any(offset[axis] % dilation[axis] for axis in (0, 1))
    ):
        return None
    top, left = offset[0] // dilation[0], offset[1] // dilation[1]
    place = np.s_[:, :, top : top + narrow.shape[2], left : left + narrow.shape[3]]
    if wide[place].shape[2:] != narrow.shape[2:]:
        return None
    wide[place] += _in_groups(narrow, small.attributes["group"], groups)
    bias = sum((_bias(c, len(wide), draft) for c in (large, small)), np.zeros(len(wide)))
    constants = draft.constant(f"{node.name}.weight", wide), draft.constant(f"{node.name}.bias", bias)
    return replace(large, inputs=(large.inputs[0], *constants), outputs=node.outputs)


def _in_groups(weight: Constant, given: int, wanted: int) -> Constant:
    """Return a weight of many groups as one of fewer groups, with zeros between the groups."""
    outputs, inputs = weight.shape[:2]
    together = given // wanted
    wide = np.zeros((outputs, inputs * together, *weight.shape[2:]))
    for output in range(outputs):
        position = output * given // outputs % together
        wide[output, position * inputs : (position + 1) * inputs] = weight[output]
    return wide


def _bias(convolution: Node, outputs: int, draft: Draft) -> Constant:
    return draft.constants[convolution.inputs[2]] if len(convolution.inputs) > 2 else np.zeros(outputs)
