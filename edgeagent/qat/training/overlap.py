"""Overlap of boxes ``x1, y1, x2, y2`` in pixels of the input."""

from __future__ import annotations

import math

import torch
from torch import Tensor

EPSILON = 1e-7


def iou(one: Tensor, other: Tensor) -> Tensor:
    """Return intersection over union of boxes (..., 4), broadcast against each other: (...)."""
    low, high = torch.maximum(one[..., :2], other[..., :2]), torch.minimum(one[..., 2:], other[..., 2:])
    common = (high - low).clamp(min=0).prod(-1)
    areas = (one[..., 2:] - one[..., :2]).prod(-1) + (other[..., 2:] - other[..., :2]).prod(-1)
    return common / (areas - common).clamp(min=EPSILON)


def complete_iou(one: Tensor, other: Tensor) -> Tensor:
    """Return the complete IoU of boxes (..., 4): (...), at most 1, negative for boxes far apart.

    Zheng et al., "Distance-IoU Loss" (arXiv:1911.08287): the IoU, minus the distance of the centres relative
    to the diagonal of the hull, minus a term for different aspect ratios. Unlike the IoU, it has a gradient
    for boxes that do not overlap.
    """
    size, other_size = (box[..., 2:] - box[..., :2] for box in (one, other))
    overlap = iou(one, other)
    hull = torch.maximum(one[..., 2:], other[..., 2:]) - torch.minimum(one[..., :2], other[..., :2])
    apart = (one[..., :2] + one[..., 2:] - other[..., :2] - other[..., 2:]).square().sum(-1) / 4
    angle, other_angle = (torch.atan2(part[..., 0], part[..., 1]) for part in (size, other_size))
    shape = (4 / math.pi**2) * (angle - other_angle).square()
    with torch.no_grad():
        share = shape / (1 - overlap + shape).clamp(min=EPSILON)
    return overlap - apart / hull.square().sum(-1).clamp(min=EPSILON) - share * shape
