"""The distillation loss of heads with anchors counts each box of a cell like a cell."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from edgeagent.bundle.manifest import Role
from edgeagent.qat.distillation.loss import BOX_WEIGHT, distillation_loss
from edgeagent.qat.graph.graph import GraphHead

ANCHORS, SIDE = 3, 2


def head(role: Role, numbers: int) -> GraphHead:
    return GraphHead(role, (1, ANCHORS * numbers, SIDE, SIDE), role != "box", role, ANCHORS)


def entropy(student: float, teacher: float) -> float:
    """Cross-entropy of two logits minus the entropy of the teacher."""
    p, q = (1 / (1 + math.exp(-x)) for x in (student, teacher))
    return q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p))


def numbers(heads: list[Tensor], anchor: int, row: int, column: int) -> list[list[float]]:
    """Return the numbers of one box: 4 of its position, objectness, classes."""
    found = []
    for one in heads:
        count = one.shape[1] // ANCHORS
        found.append(one[0, anchor * count : (anchor + 1) * count, row, column].tolist())
    return found


def plain(student: list[Tensor], teacher: list[Tensor]) -> float:
    """Return the loss by loops over boxes, with channels ordered by anchor."""
    total, scores = 0.0, 0.0
    for anchor in range(ANCHORS):
        for row in range(SIDE):
            for column in range(SIDE):
                own, wanted = (numbers(heads, anchor, row, column) for heads in (student, teacher))
                presence = 1 / (1 + math.exp(-wanted[1][0]))
                score = presence / (1 + math.exp(-max(wanted[2])))
                total += entropy(own[1][0], wanted[1][0])
                for pair in zip(own[2], wanted[2], strict=True):
                    total += presence * entropy(*pair)
                for first, second in zip(own[0], wanted[0], strict=True):
                    apart = abs(first - second)
                    smooth = apart**2 / 0.2 if apart < 0.1 else apart - 0.05
                    total += BOX_WEIGHT * score * smooth
                scores += score
    return total / max(scores, 1)


@pytest.mark.parametrize("classes", [3, 1])
def test_each_box_counts_like_a_cell(classes: int) -> None:
    heads = [head("box", 4), head("objectness", 1), head("classes", classes)]
    torch.manual_seed(0)
    teacher = [torch.randn(one.shape) for one in heads]
    student = [value + 0.2 * torch.randn(value.shape) for value in teacher]
    loss = float(distillation_loss(heads, student, teacher))
    assert loss == pytest.approx(plain(student, teacher), rel=1e-4)
    assert float(distillation_loss(heads, teacher, teacher)) == pytest.approx(0, abs=1e-5)
