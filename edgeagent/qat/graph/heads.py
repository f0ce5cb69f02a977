"""Roles of the heads of a graph, and the check against the model's description."""

from __future__ import annotations

from collections import Counter

from edgeagent.bundle.manifest import DecoderSpec, ModelDescription, Role
from edgeagent.errors import DataError
from edgeagent.qat.graph.graph import Graph, GraphHead

SIDES = 4  # of a box


def stride(head: GraphHead, graph: Graph) -> int:
    """Return the input pixels per cell of a head."""
    return graph.input_shape[2] // head.shape[2]


def role(head: GraphHead, graph: Graph) -> Role:
    """Return the role of a head."""
    return head.role or ("classes" if head.logits else "box")


def describe_cut(graph: Graph) -> list[str]:
    """Return one line per head, and one for the float operators after them."""
    lines = []
    for head in graph.heads:
        _, channels, height, width = head.shape
        shape = f"{channels} x {height} x {width}, stride {stride(head, graph)}"
        lines.append(f"{head.tensor}: {role(head, graph)}, {shape}")
    counts = Counter(graph.after)
    behind = ", ".join(f"{number} {name}" for name, number in sorted(counts.items())) or "nothing"
    lines.append(f"after the heads, in float and not part of the artefacts: {behind}")
    return lines


def check_heads(graph: Graph, description: ModelDescription) -> None:
    """Check the heads against the decoder of a description.

    Raises:
        DataError: a head is missing or has another shape; the message names it and what was expected.
    """
    decoder = description.decoder
    if decoder.family == "ssd":
        return
    wanted = ["box", "classes", *(["objectness"] if decoder.family == "yolox" else [])]
    strides = sorted({stride(head, graph) for head in graph.heads})
    if strides != sorted(decoder.strides):
        raise DataError(
            f"the heads have strides {strides}, the description says {sorted(decoder.strides)}; correct the "
            f"description, or name other heads ({_listed(graph)})"
        )
    for size in strides:
        heads = [head for head in graph.heads if stride(head, graph) == size]
        roles = sorted(role(head, graph) for head in heads)
        if roles != wanted:
            raise DataError(
                f"a decoder of the family {decoder.family} reads {', '.join(wanted)} at each "
                f"stride; at stride {size} there are {', '.join(roles)} ({_listed(graph)}); correct the "
                "family in the description, or name the heads"
            )
        for head in heads:
            _check_channels(head, role(head, graph), decoder, len(description.labels))


def _check_channels(head: GraphHead, kind: Role, decoder: DecoderSpec, labels: int) -> None:
    channels = head.shape[1]
    if kind == "classes" and channels != labels:
        raise DataError(
            f"head {head.tensor} predicts {channels} classes, the description lists {labels} labels; "
            "correct the labels"
        )
    bins = {1, decoder.reg_max} if decoder.family == "yolov8" else {1}
    if kind == "box" and channels not in {SIDES * number for number in bins}:
        expected = " or ".join(str(SIDES * number) for number in sorted(bins))
        raise DataError(
            f"head {head.tensor} gives {channels} numbers for a box, the decoder {decoder.family} expects "
            f"{expected}; correct reg_max or the family in the description"
        )


def _listed(graph: Graph) -> str:
    return ", ".join(f"{head.tensor} {head.shape[1:]}" for head in graph.heads)
