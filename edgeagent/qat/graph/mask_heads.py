"""Heads of models for instances: mask coefficients at each scale, and the prototypes.

The graph joins the coefficients with boxes and scores, or leaves them in outputs of their own. They are told
from boxes by their number, that of the prototypes; where boxes have as many channels, by that the graph
computes with the boxes alone.
"""

from __future__ import annotations

from dataclasses import replace

from edgeagent.bundle.manifest import ModelDescription
from edgeagent.engines.mask_check import prototype_form
from edgeagent.errors import DataError
from edgeagent.qat.graph.graph import Graph, GraphHead

TANH = "Tanh"
"""Operator behind the coefficients of YOLACT, which the decoder does not compute."""


def with_mask_roles(graph: Graph) -> Graph:
    """Return a graph whose coefficients have the role ``mask``.

    At each scale without one it is the only head beside the boxes with as many channels as there are
    prototypes, or the only such head that no operator computes with.
    """
    prototypes = [head for head in graph.heads if head.role == "prototypes"]
    if len(prototypes) != 1:
        return graph
    count = prototypes[0].shape[1]

    def is_mask(head: GraphHead) -> bool:
        same = [other for other in graph.heads if other.shape[2:] == head.shape[2:]]
        boxes = [other for other in same if other.role == "box"]
        alike = [other for other in boxes if other.shape[1] == count]
        if len(alike) > 1:
            alike = [other for other in alike if not other.used_by]
        named = any(other.role == "mask" for other in same)
        return not named and len(boxes) > 1 and alike == [head]

    return replace(
        graph, heads=tuple(replace(head, role="mask") if is_mask(head) else head for head in graph.heads)
    )


def check_mask_heads(graph: Graph, description: ModelDescription) -> None:
    """Check prototypes and coefficients against each other and the input of a description.

    Raises:
        DataError: there are no prototypes or several, or some of another size than the input's; coefficients
            of another number, or such as the graph passes through a function.
    """
    heads = ", ".join(f"{head.tensor} {head.shape[1:]}" for head in graph.heads)
    prototypes = [head for head in graph.heads if head.role == "prototypes"]
    if len(prototypes) != 1:
        raise DataError(
            f"a model for instances has one tensor of prototypes, {len(prototypes)} are found among the "
            f"heads {heads}; name it with --head prototypes=NAME, and the coefficients with --head mask=NAME "
            "(or in heads: of the description); a model without prototypes, such as RTMDet-Ins or Mask "
            "R-CNN, is not decoded"
        )
    (found,) = prototypes
    size = description.input.width, description.input.height
    form = prototype_form(found.shape, size)
    if form is None or not form.channels_first:
        raise DataError(
            f"the prototypes {found.tensor} have {found.shape[3]}x{found.shape[2]} cells, which is the input "
            f"of {size[0]}x{size[1]} pixels divided by no one stride; name another tensor"
        )
    for head in graph.heads:
        if head.role == "mask" and head.shape[1] != found.shape[1]:
            raise DataError(
                f"head {head.tensor} gives {head.shape[1]} coefficients and there are {found.shape[1]} "
                f"prototypes ({found.tensor}); name other heads ({heads})"
            )
        if head.role == "mask" and TANH in head.used_by:
            raise DataError(
                f"head {head.tensor}: the graph takes the hyperbolic tangent of the coefficients; name the "
                "tensor behind it with --head mask=NAME"
            )
