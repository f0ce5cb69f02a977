"""Roles of the heads of a graph, and the check against the model's description."""

from __future__ import annotations

from collections import Counter

from edgeagent.bundle.cells import stride_of
from edgeagent.bundle.manifest import MASK_ROLES, DecoderSpec, ModelDescription, Role
from edgeagent.bundle.task import OBJECT_TASKS
from edgeagent.errors import DataError
from edgeagent.qat.graph.category_heads import check_category_head
from edgeagent.qat.graph.graph import Graph, GraphHead
from edgeagent.qat.graph.heads_advice import WORKING, role_options
from edgeagent.qat.graph.mask_heads import check_mask_heads

SIDES = 4  # of a box
FUNCTIONS = {"Exp": "exp", "Relu": "relu"}
"""Functions of distances in descriptions, by operator."""
WITH_OBJECTNESS = ("yolox", "yolov5")
"""Families whose heads predict objectness beside classes."""


def stride(head: GraphHead, graph: Graph) -> int:
    """Return the input pixels per cell of a head."""
    return stride_of(graph.input_shape[2], head.shape[2])


def role(head: GraphHead, graph: Graph) -> Role:
    """Return the role of a head."""
    return head.role or ("classes" if head.logits else "box")


def bins(head: GraphHead) -> int:
    """Return the bins of each side of a box; 1 for a head of plain boxes or of anything else."""
    channels = head.shape[1] // max(1, head.anchors)
    box = not head.logits and head.role not in MASK_ROLES
    return channels // SIDES if box and channels % SIDES == 0 else 1


def describe_cut(graph: Graph) -> list[str]:
    """Return one line per head, and one for the float operators after them."""
    lines = []
    for head in graph.heads:
        _, channels, height, width = head.shape
        shape = f"{channels} x {height} x {width}, stride {stride(head, graph)}"
        shape += f", {head.anchors} anchors" if head.anchors else ""
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
    if description.task not in OBJECT_TASKS:
        check_category_head(graph, description)
        return
    if decoder.family == "ssd":
        return
    _check_anchors(graph, decoder)
    wanted = ["box", "classes", *(["objectness"] if decoder.family in WITH_OBJECTNESS else [])]
    scaled = [head for head in graph.heads if head.role != "prototypes"]
    if description.task == "instances":
        check_mask_heads(graph, description)
        wanted = sorted([*wanted, "mask"])
    strides = sorted({stride(head, graph) for head in scaled})
    if strides != sorted(decoder.strides):
        raise DataError(
            f"the heads have strides {strides}, the description says {sorted(decoder.strides)}; correct the "
            f"description, or name other heads ({_listed(graph)})"
        )
    for size in strides:
        heads = [head for head in scaled if stride(head, graph) == size]
        roles = sorted(role(head, graph) for head in heads)
        if roles != wanted:
            raise DataError(
                f"a decoder of the family {decoder.family} reads {', '.join(wanted)} at each "
                f"stride; at stride {size} there are {', '.join(roles)} ({_listed(graph)}); correct the "
                f"family in the description, or {naming_advice(graph)}"
            )
        for head in heads:
            _check_channels(head, role(head, graph), decoder, len(description.labels))
    anchors = decoder.anchors_by_stride()
    for head in scaled:
        listed = len(anchors.get(stride(head, graph), ()))
        if head.anchors != listed:
            raise DataError(
                f"head {head.tensor} predicts {head.anchors} boxes per cell, the description lists {listed} "
                f"anchors at stride {stride(head, graph)}; correct decoder.anchors"
            )


def check_distances(graph: Graph, description: ModelDescription) -> None:
    """Check the function that the graph applies to plain distances against a description.

    Raises:
        DataError: the graph computes another function of the distances than the description says.
    """
    decoder = description.decoder
    if decoder.family not in ("yolov8", "rtmdet"):
        return
    described = decoder.distances if decoder.family == "rtmdet" else "linear"
    for head in graph.heads:
        found = {FUNCTIONS[operator] for operator in head.used_by & FUNCTIONS.keys()}
        if role(head, graph) == "box" and head.shape[1] == SIDES and found and found != {described}:
            (function, *_) = sorted(found)
            raise DataError(
                f"head {head.tensor}: the graph takes {function} of its distances, the description as "
                f"{decoder.family} says {described}; RTMDet is described by family: rtmdet and distances: "
                f"{function}"
            )


def _check_anchors(graph: Graph, decoder: DecoderSpec) -> None:
    """Check whether heads and family both have anchors, or neither."""
    head = graph.heads[0]
    if head.anchors and decoder.family != "yolov5":
        raise DataError(
            f"head {head.tensor} predicts {head.anchors} boxes per cell relative to anchors, as YOLOv5 and "
            f"YOLOv7 do; the description says {decoder.family}: write family: yolov5, with the anchors of "
            "the training where they are not those of COCO"
        )
    if not head.anchors and decoder.family == "yolov5":
        raise DataError(
            f"head {head.tensor} has no anchors, the description says yolov5 ({_listed(graph)}); correct the "
            "family in the description"
        )


def _check_channels(head: GraphHead, kind: Role, decoder: DecoderSpec, labels: int) -> None:
    channels = head.shape[1] // max(1, head.anchors)
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


def naming_advice(graph: Graph) -> str:
    """Return how to name the heads of a graph with their roles, and heads that work."""
    options = role_options([(head.tensor, head.shape[1]) for head in graph.heads])
    return (
        "name the heads with their roles, also where the graph has no sigmoid behind scores, such as "
        f"{options} (or heads: in the description). {WORKING}"
    )


def _listed(graph: Graph) -> str:
    return ", ".join(f"{head.tensor} {head.shape[1:]}" for head in graph.heads)
