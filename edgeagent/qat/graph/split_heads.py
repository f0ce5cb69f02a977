"""Splitting of head convolutions that predict boxes and scores together.

Some detectors end in one convolution; some of its channels become scores, the others distances (NanoDet) or
boxes relative to anchors (YOLOv5). On a shared 8-bit grid the values of wider range would leave the others
without resolution, so the convolution is split into one per part. The split is exact: every output channel
has its own weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgeagent.qat.graph.draft import Draft
from edgeagent.qat.graph.node import Node

Channels = npt.NDArray[np.intp]


def runs(logits: Sequence[bool]) -> list[Channels]:
    """Return the channels of each run of channels of the same kind."""
    return np.split(np.arange(len(logits)), np.flatnonzero(np.diff(logits)) + 1)


def split_head(draft: Draft, head: str, channels: Sequence[Channels]) -> list[str] | None:
    """Replace a head convolution by one convolution per part of its channels.

    Args:
        draft: changed in place; readers of the head read the parts, joined in the old order.
        head: output of the convolution.
        channels: channels of each part; every channel of the head is in one of them.

    Returns:
        Names of the parts' tensors in order; None when the head is not a plain convolution.
    """
    position = next((i for i, node in enumerate(draft.nodes) if head in node.outputs), None)
    if position is None or draft.nodes[position].operator != "Conv":
        return None
    convolution = draft.nodes[position]
    if convolution.attributes["group"] != 1:
        return None
    parts = _parts(draft, convolution, channels)
    tensors = [part.outputs[0] for part in parts]
    draft.nodes[position : position + 1] = [*parts, *_joined(draft, convolution, tensors, channels)]
    return tensors


def _joined(
    draft: Draft, convolution: Node, tensors: Sequence[str], channels: Sequence[Channels]
) -> list[Node]:
    """Return the nodes that write the old head from the tensors of its parts."""
    head, order = convolution.outputs[0], np.argsort(np.concatenate(channels))
    name = f"{convolution.name}.parts"
    if (np.diff(order) == 1).all():
        return [Node(name, "Concat", tuple(tensors), (head,), {"axis": 1})]
    together = f"{head}.parts"
    draft.shapes[together] = draft.shape(head)
    indices = draft.constant(f"{name}.order", order, np.int64)
    return [
        Node(name, "Concat", tuple(tensors), (together,), {"axis": 1}),
        Node(f"{name}.order", "Gather", (together, indices), (head,), {"axis": 1}),
    ]


def _parts(draft: Draft, convolution: Node, channels: Sequence[Channels]) -> list[Node]:
    cut = [[draft.constants[name][part] for part in channels] for name in convolution.inputs[1:]]
    _, _, height, width = draft.shape(convolution.outputs[0])
    parts = []
    for position, arrays in enumerate(zip(*cut, strict=True)):
        names = tuple(
            draft.constant(f"{name}.{position}", array)
            for name, array in zip(convolution.inputs[1:], arrays, strict=True)
        )
        tensor = f"{convolution.outputs[0]}.{position}"
        draft.shapes[tensor] = (1, len(arrays[0]), height, width)
        name, inputs = f"{convolution.name}.{position}", (convolution.inputs[0], *names)
        parts.append(replace(convolution, name=name, inputs=inputs, outputs=(tensor,)))
    return parts
