"""Supervised loss of YOLOX.

Implements Ge et al., "YOLOX: Exceeding YOLO Series in 2021" (arXiv:2107.08430), section 2.1: every cell
predicts one box, and SimOTA assigns cells to objects::

    cells near an object -> cost = class cost + 3 * -log(IoU) + penalty outside its box or centre
        -> as many of the cheapest cells as the ten best IoUs sum up to -> one object per cell

The loss is ``5 * (1 - IoU^2)`` and the cross-entropy of classes at the assigned cells, and the cross-entropy
of objectness at every cell, divided by the number of assigned cells.

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
from edgeagent.qat.training.cells import cell_corners, cell_rows, heads_by_size
from edgeagent.qat.training.overlap import EPSILON, iou
from edgeagent.vision.decoder_yolox import MAX_EXPONENT

HEADS: list[Role] = ["box", "classes", "objectness"]
BOX_WEIGHT = 5.0
OVERLAP_COST = 3.0
CENTRE_RADIUS = 2.5  # strides around the centre of an object
BEST_OVERLAPS = 10
OUTSIDE_COST = 1e5  # each for a cell outside the box and for a cell outside the centre


@dataclass(frozen=True)
class YoloxScale:
    """Scale of a YOLOX head: positions of its tensors among the heads of the graph.

    Attributes:
        box: position of (b, 4, h, w).
        objectness: position of (b, 1, h, w).
        classes: position of (b, c, h, w).
        stride: input pixels per cell.
    """

    box: int
    objectness: int
    classes: int
    stride: int


@dataclass(frozen=True)
class YoloxCells:
    """Predictions of all ``a`` cells of all scales, float32.

    Attributes:
        centres: (a, 2) x and y in input pixels.
        strides: (a,) input pixels.
        boxes: (b, a, 4) in input pixels.
        objectness: (b, a) logits.
        classes: (b, a, c) logits.
    """

    centres: Tensor
    strides: Tensor
    boxes: Tensor
    objectness: Tensor
    classes: Tensor


def yolox_scales(graph: Graph) -> tuple[YoloxScale, ...]:
    """Return the scales of a YOLOX graph, in the order of its heads.

    Raises:
        DataError: the heads are not those of YOLOX.
    """
    scales = []
    for heads in heads_by_size(graph):
        fits = sorted(heads.roles) == HEADS and graph.heads[heads.of("box")].shape[1] == 4
        if heads.stride is None or not fits:
            raise heads.refusal("box, objectness and classes of a yolox")
        scales.append(YoloxScale(heads.of("box"), heads.of("objectness"), heads.of("classes"), heads.stride))
    return tuple(scales)


def simota_loss(scales: Sequence[YoloxScale], heads: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Return the scalar loss of a batch of labelled pictures.

    Args:
        scales: scales of the graph.
        heads: raw head tensors, each (b, channels, h, w).
        targets: targets of each of the b pictures, (n, 5) float32, n >= 0.
    """
    cells = decode_yolox_cells(scales, heads)
    owners = torch.stack([assign_simota(cells, picture, target) for picture, target in enumerate(targets)])
    picture, cell = torch.nonzero(owners >= 0, as_tuple=True)
    first = torch.tensor([0, *(len(target) for target in targets[:-1])], device=owners.device).cumsum(0)
    wanted = torch.cat(list(targets)).float()[owners[picture, cell] + first[picture]]
    overlap = iou(cells.boxes[picture, cell], wanted[:, 1:])
    kinds = functional.one_hot(wanted[:, 0].long(), cells.classes.shape[2]) * overlap.detach()[:, None]
    cross_entropy = functional.binary_cross_entropy_with_logits
    loss = BOX_WEIGHT * (1 - overlap.square()).sum()
    loss = loss + cross_entropy(cells.classes[picture, cell], kinds, reduction="sum")
    loss = loss + cross_entropy(cells.objectness, (owners >= 0).float(), reduction="sum")
    return loss / max(1, len(cell))


def decode_yolox_cells(scales: Sequence[YoloxScale], heads: Sequence[Tensor]) -> YoloxCells:
    """Return boxes and logits of all cells: ``xy = (xy + cell) * stride``, ``wh = exp(wh) * stride``."""
    centres, strides, boxes = [], [], []
    for scale in scales:
        raw, corner = cell_rows(heads[scale.box]), cell_corners(heads[scale.box])
        middle = (raw[..., :2] + corner) * scale.stride
        half = raw[..., 2:].clamp(max=MAX_EXPONENT).exp() * (scale.stride / 2)
        boxes.append(torch.cat([middle - half, middle + half], 2))
        centres.append((corner + 0.5) * scale.stride)
        strides.append(torch.full((len(corner),), float(scale.stride), device=raw.device))
    objectness = torch.cat([heads[scale.objectness].float().flatten(1) for scale in scales], 1)
    classes = torch.cat([cell_rows(heads[scale.classes]) for scale in scales], 1)
    return YoloxCells(torch.cat(centres), torch.cat(strides), torch.cat(boxes, 1), objectness, classes)


@torch.no_grad()
def assign_simota(cells: YoloxCells, picture: int, targets: Tensor) -> Tensor:
    """Return the target that each cell of a picture is assigned to (SimOTA): (a,) int64, -1 for none.

    Every target whose centre lies in the picture is assigned a cell, as long as one near it is free.
    """
    owners = torch.full((len(cells.centres),), -1, device=cells.centres.device)
    boxes = targets[:, 1:].float()
    distance = (cells.centres - (boxes[:, None, :2] + boxes[:, None, 2:]) / 2).abs().amax(2)
    central = distance < CENTRE_RADIUS * cells.strides  # (n, a)
    x, y = cells.centres.T
    inside = (x > boxes[:, :1]) & (y > boxes[:, 1:2]) & (x < boxes[:, 2:3]) & (y < boxes[:, 3:])
    candidates = torch.nonzero((inside | central).any(0))[:, 0]
    if not len(candidates):
        return owners
    inside, central = inside[:, candidates], central[:, candidates]
    overlap = iou(boxes[:, None], cells.boxes[picture, candidates]) * (inside | central)
    cost = _class_cost(
        cells.classes[picture, candidates], cells.objectness[picture, candidates], targets[:, 0]
    )
    cost = cost - OVERLAP_COST * (overlap + EPSILON).log()
    cost = cost + OUTSIDE_COST * (2.0 - inside.float() - central.float())
    best = overlap.topk(min(BEST_OVERLAPS, len(candidates)), 1).values
    rank = cost.argsort(dim=1, stable=True).argsort(1)
    chosen = rank < best.sum(1, keepdim=True).long().clamp(min=1)
    lowest, owner = cost.masked_fill(~chosen, torch.inf).min(0)
    owner[lowest == torch.inf] = -1
    without_cell = set(range(len(targets))) - set(owner.tolist())  # all their cells went to neighbours
    for orphan in sorted(without_cell):
        free = (owner < 0) & (inside | central)[orphan]
        if free.any():
            owner[cost[orphan].masked_fill(~free, torch.inf).argmin()] = orphan
    owners[candidates] = owner
    return owners


def _class_cost(classes: Tensor, objectness: Tensor, kinds: Tensor) -> Tensor:
    """Cross-entropy of ``sqrt(class * objectness)`` for each target's class, summed over classes: (n, a)."""
    score = (torch.sigmoid(classes) * torch.sigmoid(objectness)[:, None]).sqrt().clamp(EPSILON, 1 - EPSILON)
    absent = -(1 - score).log()
    kind = kinds.long()
    return (absent.sum(1, keepdim=True) - absent[:, kind] - score[:, kind].log()).T
