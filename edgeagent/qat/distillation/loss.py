"""Loss of self-distillation: the float model is the teacher of its fake-quantized copy, without labels.

Heads that the source model passes through a sigmoid are logits of objectness or classes; the other heads are
boxes. A head of several boxes per cell (anchors) is taken apart: each box counts like a cell. For each scale
(heads of one size):

- objectness: binary cross-entropy against the teacher's probability, at every cell;
- classes: the same, weighted by the teacher's objectness;
- boxes: smooth-L1, weighted by the teacher's score;
- boxes whose sides are distributions over bins (distribution focal loss, Li et al. 2020, arXiv:2006.04388):
  the Kullback-Leibler divergence of the student's distribution from the teacher's, summed over the four
  sides and weighted by the teacher's score (Zheng et al., "Localization Distillation", arXiv:2102.12252).
  It ignores what the softmax over the bins ignores, such as a shift of all bins of a side.

Heads of one class of several for each cell (``category``, of classifiers and segmenters) have the
Kullback-Leibler divergence of the student's softmax from the teacher's (Hinton et al. 2015,
arXiv:1503.02531), in nats, as the mean over cells and pictures.

Masks of objects are compared as masks (:mod:`edgeagent.qat.distillation.mask_loss`).

The sum of the others is divided by the sum of the teacher's scores, so that every object has the same weight,
however many there are in a picture. Without a separate objectness, classes are not weighted.

:func:`feature_loss` compares student and teacher also where branches of the graph join.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from edgeagent.bundle.manifest import MASK_ROLES
from edgeagent.qat.distillation.binary_divergence import binary_divergence
from edgeagent.qat.distillation.mask_loss import TeacherMasks
from edgeagent.qat.graph.graph import GraphHead
from edgeagent.qat.graph.heads import SIDES, bins

BOX_WEIGHT = 5.0
BINS_WEIGHT = 5.0
MASK_WEIGHT = 5.0
BoxLoss = Literal["distribution", "difference"]
"""Loss of boxes with bins: divergence of the distributions, or smooth-L1 of their logits."""


def distillation_loss(
    heads: Sequence[GraphHead],
    student: Sequence[Tensor],
    teacher: Sequence[Tensor],
    box_loss: BoxLoss = "distribution",
) -> Tensor:
    """Return the scalar loss of a batch.

    Args:
        heads: heads of the graph, in order.
        student: head tensors of the fake-quantized network, each (batch, channels, h, w).
        teacher: head tensors of the float network.
        box_loss: loss of boxes with bins.
    """
    if heads[0].role == "category":
        pairs = zip(student, teacher, strict=True)
        return torch.stack([category_divergence(one, other) for one, other in pairs]).sum()
    student = [_one_box_per_cell(head, value) for head, value in zip(heads, student, strict=True)]
    teacher = [_one_box_per_cell(head, value) for head, value in zip(heads, teacher, strict=True)]
    scales: dict[tuple[int, int], list[int]] = defaultdict(list)
    for position, head in enumerate(heads):
        if head.role not in MASK_ROLES:
            scales[head.shape[2:]].append(position)
    masks = mask_divergence(heads, student, teacher)
    total = student[0].new_zeros(())
    normalizer = student[0].new_zeros(())
    for positions in scales.values():
        logits = [p for p in positions if heads[p].logits]
        objectness = [p for p in logits if heads[p].role == "objectness"]
        classes = [p for p in logits if heads[p].role != "objectness"]
        found = _best_class(teacher, classes) if classes else torch.ones_like(teacher[positions[0]][:, :1])
        presence = torch.sigmoid(teacher[objectness[0]]) if objectness else found
        score = presence * found if objectness else presence
        total = total + sum(binary_divergence(student[p], teacher[p]).sum() for p in objectness)
        for p in classes:
            weight = presence if objectness else torch.ones_like(presence)
            total = total + (weight * binary_divergence(student[p], teacher[p])).sum()
        for p in set(positions) - set(logits):
            count = bins(heads[p]) if box_loss == "distribution" else 1
            if count > 1:
                total = total + BINS_WEIGHT * (score * _divergence(student[p], teacher[p], count)).sum()
                continue
            distance = functional.smooth_l1_loss(student[p], teacher[p], reduction="none", beta=0.1)
            total = total + BOX_WEIGHT * (score * distance).sum()
        normalizer = normalizer + score.sum()
    return total / normalizer.clamp(min=1.0) + masks


def mask_divergence(
    heads: Sequence[GraphHead], student: Sequence[Tensor], teacher: Sequence[Tensor]
) -> Tensor:
    """Return the weighted distance of the masks of a batch; 0 for a model without masks."""
    if not any(head.role == "prototypes" for head in heads):
        return student[0].new_zeros(())
    return MASK_WEIGHT * TeacherMasks(heads, teacher).divergence(student)


def category_divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the divergence of softmaxes over the channels, (b, channels, h, w): mean over cells."""
    if student.shape[1] == 1:
        return binary_divergence(student, teacher).mean()
    own, wanted = student.log_softmax(1), teacher.log_softmax(1)
    return (wanted.exp() * (wanted - own)).sum(1).mean()


def feature_loss(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """Return the mean squared distance of features, each divided by the teacher's mean square."""
    distances = [
        _SquaredDistance.apply(one, other) / _squared_length(other).clamp(min=1e-6 * other.numel())  # type: ignore[no-untyped-call]
        for one, other in zip(student, teacher, strict=True)
    ]
    return torch.stack(distances).mean()


class _SquaredDistance(torch.autograd.Function):
    """Sum of the squared differences of two tensors, differentiable by the first.

    Features are large: one tensor is kept for the backward pass, and none is made besides.
    """

    @staticmethod
    def forward(ctx: Any, one: Tensor, other: Tensor) -> Tensor:
        difference = one - other
        ctx.save_for_backward(difference)
        return _squared_length(difference)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (difference,) = ctx.saved_tensors
        return difference * (2 * gradient), None


def _squared_length(value: Tensor) -> Tensor:
    """Return the sum of the squares, read in the order of the memory."""
    if value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last):
        value = value.permute(0, 2, 3, 1)
    flat = value.reshape(-1)
    return torch.dot(flat, flat)


def _one_box_per_cell(head: GraphHead, value: Tensor) -> Tensor:
    """Return a head (batch, anchors * n, h, w) as (batch, n, anchors * h, w)."""
    if not head.anchors:
        return value
    batch, channels, height, width = value.shape
    boxes = value.reshape(batch, head.anchors, channels // head.anchors, height, width)
    return boxes.transpose(1, 2).flatten(2, 3)


def _divergence(student: Tensor, teacher: Tensor, count: int) -> Tensor:
    """Return the divergence of the bins' distributions, summed over the sides: (batch, 1, h, w).

    Args:
        student: logits (batch, 4 * count, h, w), ordered by side.
        teacher: the same of the teacher.
        count: bins of a side.
    """
    own, wanted = (
        value.reshape(len(value), SIDES, count, *value.shape[2:]).log_softmax(2)
        for value in (student, teacher)
    )
    divergence = wanted.exp() * (wanted - own)
    return divergence.sum((1, 2)).unsqueeze(1)


def _best_class(teacher: Sequence[Tensor], classes: list[int]) -> Tensor:
    """Return the highest probability of a class at each cell, (batch, 1, h, w)."""
    return torch.sigmoid(torch.cat([teacher[p] for p in classes], 1)).amax(1, keepdim=True)
