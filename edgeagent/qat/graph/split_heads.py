"""Splitting of head convolutions that predict boxes and scores together.

Some detectors (NanoDet) end in one convolution; some of its channels become scores, the others distances. On
a shared 8-bit grid the values of wider range would leave the others without resolution, so the convolution is
split into one per part. The split is exact: every output channel has its own weights.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeagent.qat.graph.draft import Draft
from edgeagent.qat.graph.node import Node


def split_head(draft: Draft, head: str, logits: list[bool]) -> list[str] | None:
    """Replace a head convolution by one convolution per run of channels of the same kind.

    Args:
        draft: changed in place; readers of the head read the concatenated parts.
        head: output of the convolution.
        logits: whether each channel passes a sigmoid.

    Returns:
        Names of the parts' tensors in order; None when the head is not a plain convolution.
    """
    position = next((i for i, node in enumerate(draft.nodes) if head in node.outputs), None)
    if position is None or draft.nodes[position].operator != "Conv":
        return None
    convolution = draft.nodes[position]
    if convolution.attributes["group"] != 1:
        return None
    ends = [i for i in range(1, len(logits)) if logits[i] != logits[i - 1]]
    parts = _parts(draft, convolution, ends)
    tensors = [part.outputs[0] for part in parts]
    together = Node(f"{convolution.name}.parts", "Concat", tuple(tensors), (head,), {"axis": 1})
    draft.nodes[position : position + 1] = [*parts, together]
    return tensors


def _parts(draft: Draft, convolution: Node, ends: list[int]) -> list[Node]:
    cut = [np.split(draft.constants[name], ends) for name in convolution.inputs[1:]]
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
