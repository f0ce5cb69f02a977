"""Supervised loss of YOLOv8, YOLO11 and NanoDet: boxes as distances, classes without objectness.

Implements task-aligned assignment (Feng et al., "TOOD: Task-aligned One-stage Object Detection",
arXiv:2108.07755, section 3.2) with the constants of YOLOv8::

    cells in the box of an object -> alignment = score^0.5 * IoU^6 -> the ten best aligned
        -> a cell claimed by several objects is assigned to the one with the largest overlap
        -> soft target = alignment, scaled so that the best of an object equals its best IoU

The loss is the cross-entropy of classes against the soft targets at every cell, plus, at assigned cells and
weighted by their soft targets, one minus the complete IoU and the distribution focal loss (Li et al. 2020,
arXiv:2006.04388) of the bins, where there are bins. The sum is divided by the sum of the soft targets.

Boxes are ``x1, y1, x2, y2`` in pixels of the input; targets are (n, 5): class, then the box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from edgeagent.bundle.manifest import Role
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.heads import SIDES
from edgeagent.qat.training.cells import cell_corners, cell_rows, heads_by_size
from edgeagent.qat.training.overlap import complete_iou, iou

HEADS: list[Role] = ["box", "classes"]
SCORE_POWER, OVERLAP_POWER = 0.5, 6.0  # exponents of the alignment
BEST_ALIGNED = 10
CLASS_WEIGHT, BOX_WEIGHT, BIN_WEIGHT = 0.5, 7.5, 1.5
LAST_BIN_MARGIN = 0.01  # distances are limited to the last bin minus this
TINY = torch.finfo(torch.float32).tiny


@dataclass(frozen=True)
class DistanceScale:
    """Scale of a head: positions of its tensors among the heads of the graph.

    Attributes:
        box: position of (b, 4, h, w) distances, or (b, 4 * bins, h, w) logits of their bins.
        classes: position of (b, c, h, w) logits.
        stride: input pixels per cell.
    """

    box: int
    classes: int
    stride: int


@dataclass(frozen=True)
class DistanceCells:
    """Predictions of all ``a`` cells of all scales, float32.

    Attributes:
        centres: (a, 2) x and y in input pixels.
        strides: (a,) input pixels.
        boxes: (b, a, 4) in input pixels.
        bins: (b, a, 4, bins) logits of the distances to the four sides; one bin for plain distances.
        classes: (b, a, c) logits.
    """

    centres: Tensor
    strides: Tensor
    boxes: Tensor
    bins: Tensor
    classes: Tensor


@dataclass(frozen=True)
class TargetAssignment:
    """Assignment of ``p`` cells to targets.

    Attributes:
        picture: (p,) int64, position of the picture in the batch.
        cell: (p,) int64, no cell of a picture twice.
        target: (p,) int64, row in the targets of all pictures.
        soft: (p,) float32, soft target of the object's class, 0..1.
    """

    picture: Tensor
    cell: Tensor
    target: Tensor
    soft: Tensor


def yolov8_scales(graph: Graph, bins: int) -> tuple[DistanceScale, ...]:
    """Return the scales of a graph of the family ``yolov8``, in the order of its heads.

    Args:
        graph: graph with the heads.
        bins: bins per side of a box, for boxes that are not four plain distances.

    Raises:
        DataError: the heads are not those of the family.
    """
    scales = []
    widths = {graph.heads[heads.of("box")].shape[1] for heads in heads_by_size(graph) if "box" in heads.roles}
    for heads in heads_by_size(graph):
        fits = sorted(heads.roles) == HEADS and widths in ({SIDES}, {SIDES * bins})
        if heads.stride is None or not fits:
            raise heads.refusal(f"box ({SIDES} or {SIDES * bins} channels) and classes of a yolov8")
        scales.append(DistanceScale(heads.of("box"), heads.of("classes"), heads.stride))
    return tuple(scales)


def task_aligned_loss(
    scales: Sequence[DistanceScale], heads: Sequence[Tensor], targets: Sequence[Tensor]
) -> Tensor:
    """Return the scalar loss of a batch of labelled pictures.

    Args:
        scales: scales of the graph.
        heads: raw head tensors, each (b, channels, h, w).
        targets: targets of each of the b pictures, (n, 5) float32, n >= 0.
    """
    cells = decode_distance_cells(scales, heads)
    rows = torch.cat(list(targets)).float()
    found = assign_task_aligned(cells, rows, _pictures(targets))
    wanted = rows[found.target]
    soft = torch.zeros_like(cells.classes)
    soft[found.picture, found.cell, wanted[:, 0].long()] = found.soft
    cross_entropy = functional.binary_cross_entropy_with_logits(cells.classes, soft, reduction="sum")
    apart = 1 - complete_iou(cells.boxes[found.picture, found.cell], wanted[:, 1:])
    loss = CLASS_WEIGHT * cross_entropy + BOX_WEIGHT * (found.soft * apart).sum()
    if cells.bins.shape[3] > 1:
        loss = loss + BIN_WEIGHT * (found.soft * _bin_loss(cells, found, wanted[:, 1:])).sum()
    return loss / found.soft.sum().clamp(min=1)


def decode_distance_cells(scales: Sequence[DistanceScale], heads: Sequence[Tensor]) -> DistanceCells:
    """Return boxes and logits of all cells; a distance is the expectation over its bins, in cells."""
    centres, strides, boxes, bins = [], [], [], []
    for scale in scales:
        raw = cell_rows(heads[scale.box])
        logits = raw.reshape(*raw.shape[:2], SIDES, -1)
        centre = cell_corners(heads[scale.box]) + 0.5
        distances = _expectation(logits)
        near, far = centre - distances[..., :2], centre + distances[..., 2:]
        boxes.append(torch.cat([near, far], 2) * scale.stride)
        bins.append(logits)
        centres.append(centre * scale.stride)
        strides.append(torch.full((len(centre),), float(scale.stride), device=centre.device))
    classes = torch.cat([cell_rows(heads[scale.classes]) for scale in scales], 1)
    return DistanceCells(
        torch.cat(centres), torch.cat(strides), torch.cat(boxes, 1), torch.cat(bins, 1), classes
    )


@torch.no_grad()
def assign_task_aligned(cells: DistanceCells, targets: Tensor, pictures: Tensor) -> TargetAssignment:
    """Return the assignment of cells to targets.

    Candidates of a target are the cells whose centre lies in its box or, for a box narrower than the finest
    cell, within half such a cell of its centre. Each target is assigned one of them, as long as one is free.

    Args:
        cells: predictions.
        targets: (n, 5) float32, targets of all pictures.
        pictures: (n,) int64, picture of each target.
    """
    target, cell = torch.nonzero(reach(cells, targets[:, 1:]), as_tuple=True)
    overlap = iou(cells.boxes[pictures[target], cell], targets[target, 1:])
    score = torch.sigmoid(cells.classes[pictures[target], cell, targets[target, 0].long()])
    alignment = score.pow(SCORE_POWER) * overlap.pow(OVERLAP_POWER)
    order = alignment.argsort(descending=True, stable=True)
    order = order[target[order].argsort(stable=True)]  # by target, the best aligned first
    target, cell, overlap, alignment = (values[order] for values in (target, cell, overlap, alignment))
    place = pictures[target] * len(cells.centres) + cell  # in the batch
    best = torch.nonzero(_rank(target, len(targets)) < BEST_ALIGNED)[:, 0]
    won = best[_wins(place[best], overlap[best], target[best], cells.classes[..., 0].numel())]
    won = torch.cat([won, _for_orphans(target, place, won, len(targets))])
    target, cell, overlap, alignment = (values[won] for values in (target, cell, overlap, alignment))
    none = alignment.new_zeros(len(targets))
    best_alignment = none.scatter_reduce(0, target, alignment, "amax").clamp(min=TINY)
    best_overlap = none.scatter_reduce(0, target, overlap, "amax")
    soft = alignment / best_alignment[target] * best_overlap[target]
    return TargetAssignment(pictures[target], cell, target, soft)


def reach(cells: DistanceCells, boxes: Tensor) -> Tensor:
    """Return whether each cell is a candidate of each box (n, 4): (n, a) bool."""
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    half = half.clamp(min=float(cells.strides.min()) / 2)
    low, high = (middle - half)[:, None], (middle + half)[:, None]
    return ((cells.centres >= low) & (cells.centres < high)).all(2)


def _pictures(targets: Sequence[Tensor]) -> Tensor:
    """Return the picture of each row of all targets."""
    counts = torch.tensor([len(target) for target in targets], device=targets[0].device)
    return torch.arange(len(targets), device=counts.device).repeat_interleave(counts)


def _expectation(logits: Tensor) -> Tensor:
    """Return the distances (..., 4) encoded by bins (..., 4, bins); one bin is the distance itself."""
    if logits.shape[-1] == 1:
        return logits[..., 0]
    numbers = torch.arange(logits.shape[-1], device=logits.device, dtype=logits.dtype)
    return logits.softmax(-1) @ numbers


def _bin_loss(cells: DistanceCells, found: TargetAssignment, boxes: Tensor) -> Tensor:
    """Return the cross-entropy of the two bins next to each target distance, mean of the sides: (p,)."""
    centre, stride = cells.centres[found.cell], cells.strides[found.cell, None]
    distances = torch.cat([centre - boxes[:, :2], boxes[:, 2:] - centre], 1) / stride
    logits = cells.bins[found.picture, found.cell]
    distances = distances.clamp(0, logits.shape[2] - 1 - LAST_BIN_MARGIN)
    lower = distances.long()
    upper_share = distances - lower
    absent = -logits.log_softmax(2)
    below, above = (absent.gather(2, bins[..., None])[..., 0] for bins in (lower, lower + 1))
    return (below * (1 - upper_share) + above * upper_share).mean(1)


def _rank(target: Tensor, count: int) -> Tensor:
    """Return the position of each entry among the entries of its target; targets are sorted: (p,)."""
    sizes = target.bincount(minlength=count)
    first = sizes.cumsum(0) - sizes
    return torch.arange(len(target), device=target.device) - first[target]


def _wins(place: Tensor, overlap: Tensor, target: Tensor, places: int) -> Tensor:
    """Return whether each entry keeps its cell: the largest overlap, of equal ones the first: (p,) bool."""
    largest = overlap.new_zeros(places).scatter_reduce(0, place, overlap, "amax")
    equal = overlap == largest[place]
    first = target.new_full((places,), len(target)).scatter_reduce(
        0, place[equal], target[equal], "amin", include_self=False
    )
    return equal & (target == first[place])


def _for_orphans(target: Tensor, place: Tensor, won: Tensor, count: int) -> Tensor:
    """Return the best aligned free entry of each target that has no cell left: (o,)."""
    taken, extra = set(place[won].tolist()), []
    for orphan in sorted(set(range(count)) - set(target[won].tolist())):
        entries = torch.nonzero(target == orphan)[:, 0]
        free = [entry for entry in entries.tolist() if int(place[entry]) not in taken]
        if free:
            extra.append(free[0])
            taken.add(int(place[free[0]]))
    return torch.tensor(extra, dtype=torch.int64, device=won.device)
