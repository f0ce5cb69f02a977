"""Cut of the graph at its raw predictions, where the integer part ends.

Unless the user names the heads, they are the *terminal convolutions*: those from which no other convolution
is reachable. A convolution that only computes the expectation of a distribution (weights 0, 1, 2, ...: the
decoding of distribution focal loss) belongs to decoding and does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgeagent.bundle.manifest import MASK_ROLES, Role
from edgeagent.errors import DataError
from edgeagent.qat.core.operator_kinds import CONVOLUTIONS
from edgeagent.qat.graph.anchor_heads import anchor_parts, anchors_of
from edgeagent.qat.graph.channel_flow import ChannelFlow
from edgeagent.qat.graph.draft import Draft
from edgeagent.qat.graph.named_heads import NamedHead
from edgeagent.qat.graph.node import Constant, Node
from edgeagent.qat.graph.split_heads import Channels, runs, split_head

UNSCORED: frozenset[Role] = MASK_ROLES | {"box"}
"""Roles of heads that hold no scores."""
MAP = 4
"""Dimensions of a tensor with rows and columns."""


@dataclass(frozen=True)
class End:
    """Tensor at which the integer graph ends.

    Attributes:
        tensor: name of the tensor.
        logits: whether it holds scores before their sigmoid.
        role: predicted quantity, where the cut knows it.
        anchors: boxes per cell relative to anchors; 0 without anchors.
        used_by: operators that compute with it.
    """

    tensor: str
    logits: bool
    role: Role | None = None
    anchors: int = 0
    used_by: frozenset[str] = frozenset()


def terminal_convolutions(draft: Draft) -> list[str]:
    """Return the outputs of the terminal convolutions, in the order of the graph."""
    leads_to_convolution: set[str] = set()
    terminal = []
    for node in reversed(draft.nodes):
        below = any(name in leads_to_convolution for name in node.outputs)
        counts = node.operator in CONVOLUTIONS and not _decodes(node, draft)
        if counts and not below:
            terminal.append(node.outputs[0])
        if below or counts:
            leads_to_convolution.update(node.inputs)
    return terminal[::-1]


def instance_ends(draft: Draft, outputs: Sequence[str]) -> list[NamedHead]:
    """Return the ends of a model for instances: its prototypes, and the terminal convolutions beside them.

    The prototypes are the only output of the graph that is a map, behind an activation where they have one.
    Without one such output, the terminal convolutions are returned.

    Args:
        draft: the graph.
        outputs: its outputs.
    """
    names = dict.fromkeys(draft.resolve(name) for name in outputs)
    maps = [name for name in names if len(draft.shape(name)) == MAP]
    terminal = terminal_convolutions(draft)
    if len(maps) != 1:
        return [NamedHead(tensor) for tensor in terminal]
    inside = {name for node in needed(draft.nodes, set(maps)) for name in node.outputs}
    others = [NamedHead(tensor) for tensor in terminal if tensor not in inside]
    return [*others, NamedHead(maps[0], "prototypes")]


def separate_ends(draft: Draft, heads: Sequence[NamedHead]) -> list[End]:
    """Return the ends; heads that predict boxes and scores together are split in the draft.

    A head of a given role is not split; one of scores holds logits, also where the graph has no sigmoid.

    Raises:
        DataError: a head predicts boxes and scores together and is not a convolution that can be split, has
            anchors other than those of YOLOv5, or is used otherwise than its role says.
    """
    ends: list[End] = []
    for head in heads:
        tensor = head.tensor
        if head.role is not None:
            ends.append(_end_of_role(draft, tensor, head.role))
            continue
        anchors = anchors_of(draft, tensor)
        logits = ChannelFlow(draft).logits(tensor)
        if anchors:
            kinds = anchor_parts(len(logits), anchors)
            parts = _split(draft, tensor, list(kinds.values()))
            named = zip(parts, kinds, strict=True)
            ends += [End(part, kind != "box", kind, anchors) for part, kind in named]
        elif len(set(logits)) == 1:
            used_by = frozenset(use.operator for use in ChannelFlow(draft).uses(tensor))
            ends.append(End(tensor, logits[0], used_by=used_by))
        else:
            channels = runs(logits)
            parts = _split(draft, tensor, channels)
            ends += [End(part, logits[own[0]]) for part, own in zip(parts, channels, strict=True)]
    return ends


def name_roles(draft: Draft, ends: Sequence[End]) -> list[End]:
    """Return the ends with their roles.

    An end without a sigmoid predicts boxes. Of two ends of one stride with a sigmoid, the one of a single
    channel is objectness; where both have one channel (a single class), it is the one that comes first where
    the graph joins them.
    """
    flow = ChannelFlow(draft)
    return [end if end.role else replace(end, role=_role(draft, flow, end, ends)) for end in ends]


def _end_of_role(draft: Draft, tensor: str, role: Role) -> End:
    flow = ChannelFlow(draft)
    logits = flow.logits(tensor)
    if len(set(logits)) > 1:
        raise DataError(
            f"head {tensor} is named {role}, but {sum(logits)} of its {len(logits)} channels are scores; "
            "name it without a role, and it is split"
        )
    if role in UNSCORED and logits[0]:
        raise DataError(
            f"head {tensor} is named {role}, but the graph makes scores of it by a sigmoid; name it "
            f"classes={tensor} or objectness={tensor}, or another tensor (of prototypes that behind their "
            "activation)"
        )
    used_by = frozenset(use.operator for use in flow.uses(tensor))
    return End(tensor, role not in UNSCORED, role, used_by=used_by)


def _role(draft: Draft, flow: ChannelFlow, end: End, ends: Sequence[End]) -> Role:
    if not end.logits:
        return "box"
    size = draft.shape(end.tensor)[2:]
    scores = [other for other in ends if other.logits and draft.shape(other.tensor)[2:] == size]
    single = [other for other in scores if draft.shape(other.tensor)[1] == 1]
    if len(scores) == 1 or end not in single:
        return "classes"
    if len(single) == len(scores):
        single = [min(single, key=lambda other: flow.position(other.tensor) or 0)]
    return "objectness" if end in single else "classes"


def needed(nodes: Sequence[Node], tensors: set[str]) -> list[Node]:
    """Return the nodes that the given tensors depend on, in order."""
    wanted = set(tensors)
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.outputs):
            wanted.update(node.inputs)
            kept.append(node)
    return kept[::-1]


def _split(draft: Draft, tensor: str, channels: Sequence[Channels]) -> list[str]:
    parts = split_head(draft, tensor, channels)
    if parts is None:
        raise DataError(
            f"boxes and scores would share the tensor {tensor} and one 8-bit grid, which costs the scores "
            f"their resolution; cut before they are joined: {', '.join(_before(draft, tensor))}"
        )
    return parts


def _before(draft: Draft, tensor: str) -> list[str]:
    writer = next(node for node in draft.nodes if tensor in node.outputs)
    return [name for name in writer.inputs if name and name not in draft.constants]


def _decodes(node: Node, draft: Draft) -> bool:
    """Return whether a convolution computes the expectation over evenly spaced bins."""
    weight: Constant | None = draft.constants.get(node.inputs[1])
    if weight is None or weight.ndim != 4 or len(weight) != 1 or weight[0, 0].size != 1 or weight.size < 4:
        return False
    steps = np.diff(weight.ravel())
    return bool(steps[0] != 0 and np.allclose(steps, steps[0], rtol=1e-4))
