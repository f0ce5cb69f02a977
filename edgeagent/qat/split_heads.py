"""Head convolutions that predict boxes and scores together, taken apart.

Some detectors (NanoDet) end in one convolution whose channels are then split into scores and distances. On
one 8-bit grid the wider of the two would cost the other its resolution, so the convolution becomes one for
each part. That is exact: every output channel has weights of its own.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from edgeagent.qat.node import Constant, Node


def split_heads(nodes: list[Node], heads: Collection[str], constants: dict[str, Constant]) -> list[Node]:
    """Replace head convolutions that are read by one Split along the channels, and these Splits.

    Args:
        nodes: of the graph, in order.
        heads: names of the head convolutions' outputs.
        constants: weights and sizes by tensor name; those of the parts are added.
    """
    readers = {name: [n for n in nodes if name in n.inputs] for name in heads}
    splits = {
        name: found[0] for name, found in readers.items() if len(found) == 1 and _splits_channels(found[0])
    }
    result = []
    for node in nodes:
        if node.outputs[0] in splits:
            result += _parts(node, splits[node.outputs[0]], constants)
        elif node not in splits.values():
            result.append(node)
    return result


def _splits_channels(node: Node) -> bool:
    return node.operator == "Split" and node.attributes.get("axis", 0) == 1


def _parts(convolution: Node, split: Node, constants: dict[str, Constant]) -> list[Node]:
    weights = constants[convolution.inputs[1]]
    sizes = constants.get(split.inputs[1]) if len(split.inputs) > 1 else None
    ends = (
        np.cumsum(sizes)[:-1]
        if sizes is not None
        else np.arange(1, len(split.outputs)) * -(-len(weights) // len(split.outputs))
    )
    cut = {name: np.split(constants[name], ends) for name in convolution.inputs[1:]}
    parts = []
    for position, output in enumerate(split.outputs):
        names = tuple(f"{name}.{position}" for name in cut)
        constants.update((new, cut[name][position]) for new, name in zip(names, cut, strict=True))
        parts.append(
            Node(
                f"{convolution.name}.{position}",
                "Conv",
                (convolution.inputs[0], *names),
                (output,),
                convolution.attributes,
            )
        )
    return parts
