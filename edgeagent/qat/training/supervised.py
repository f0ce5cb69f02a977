"""The supervised loss: labelled boxes pull the raw head tensors, each decoder family in its own way.

A family says which of its predictions answers for which object, and what that costs:
:mod:`edgeagent.qat.training.simota` for YOLOX, :mod:`edgeagent.qat.training.task_aligned` for YOLOv8 and
its like.

Targets are, for each picture, (n, 5) float32: class, then ``x1, y1, x2, y2`` in pixels of the input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor

from edgeagent.bundle.manifest import DecoderSpec
from edgeagent.errors import DataError
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.training.simota import simota_loss, yolox_scales
from edgeagent.qat.training.task_aligned import task_aligned_loss, yolov8_scales

Supervision = Callable[[Sequence[Tensor], Sequence[Tensor]], Tensor]
"""From raw head tensors (b, channels, h, w) in the order of the graph, and the targets of each of the b
pictures, to the scalar loss."""

FAMILIES: dict[str, Callable[[Graph, DecoderSpec], Supervision]] = {
    "yolox": lambda graph, _: partial(simota_loss, yolox_scales(graph)),
    "yolov8": lambda graph, decoder: partial(task_aligned_loss, yolov8_scales(graph, decoder.reg_max)),
}


def check_family(family: str) -> None:
    """Refuse a decoder family without a supervised loss.

    Raises:
        DataError: it is not one of :data:`FAMILIES`.
    """
    if family not in FAMILIES:
        raise DataError(
            f"labels: the supervised loss is there for {' and '.join(FAMILIES)} only, not for {family}; "
            "train without"
        )


def supervise(graph: Graph, decoder: DecoderSpec) -> Supervision:
    """Return the supervised loss of a graph.

    Args:
        graph: whose heads are trained.
        decoder: how they are read.

    Raises:
        DataError: the family has none, or the heads are not those of the family.
    """
    check_family(decoder.family)
    return FAMILIES[decoder.family](graph, decoder)
