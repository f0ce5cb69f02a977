"""Supervised loss of the raw head tensors against labelled boxes, by decoder family.

Each family assigns predictions to objects in its own way: :mod:`edgeagent.qat.training.simota` for YOLOX,
:mod:`edgeagent.qat.training.task_aligned` for YOLOv8 and similar heads. A classifier has
:mod:`edgeagent.qat.training.category_loss`.

Targets of a picture are (n, 5) float32: class, then ``x1, y1, x2, y2`` in pixels of the input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor

from edgeagent.bundle.manifest import DecoderSpec
from edgeagent.errors import DataError
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.training.category_loss import category_loss
from edgeagent.qat.training.simota import simota_loss, yolox_scales
from edgeagent.qat.training.task_aligned import task_aligned_loss, yolov8_scales

Supervision = Callable[[Sequence[Tensor], Sequence[Tensor]], Tensor]
"""Function of the raw head tensors (b, channels, h, w) in the order of the graph and the targets of each of
the b pictures, which returns the scalar loss."""

FAMILIES: dict[str, Callable[[Graph, DecoderSpec], Supervision]] = {
    "yolox": lambda graph, _: partial(simota_loss, yolox_scales(graph)),
    "yolov8": lambda graph, decoder: partial(task_aligned_loss, yolov8_scales(graph, decoder.reg_max)),
    "classifier": lambda graph, _: category_loss,
}


def check_family(decoder: DecoderSpec) -> None:
    """Reject a decoder without a supervised loss.

    Raises:
        DataError: the family is not one of :data:`FAMILIES`, or its heads give one box per object.
    """
    if decoder.family not in FAMILIES:
        raise DataError(
            f"labels: only {', '.join(FAMILIES)} have a supervised loss, {decoder.family} has none; train "
            "on --images without labels"
        )
    if decoder.nms == "none":
        raise DataError(
            "labels: heads without non-maximum suppression give one box per object, the supervised losses "
            "several; train on --images without labels"
        )


def supervise(graph: Graph, decoder: DecoderSpec) -> Supervision:
    """Return the supervised loss of a graph.

    Args:
        graph: graph whose heads are trained.
        decoder: decoder of the model.

    Raises:
        DataError: the family has no supervised loss, or the heads are not those of the family.
    """
    check_family(decoder)
    return FAMILIES[decoder.family](graph, decoder)
