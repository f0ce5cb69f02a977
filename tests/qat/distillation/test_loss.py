"""The distillation loss: detectors of one class, and heads with anchors (a box counts like a cell)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_args

import pytest
import torch
from torch import Tensor

from edgeagent.bundle.manifest import Role
from edgeagent.qat.distillation.loss import (
    BINS_WEIGHT,
    BOX_WEIGHT,
    BoxLoss,
    distillation_loss,
    feature_loss,
)
from edgeagent.qat.graph.graph import GraphHead, read_graph
from edgeagent.qat.graph.heads import bins, role
from edgeagent.qat.grid.affine import plan_affine_grids
from edgeagent.qat.network.network import Network
from tests.qat.models import SIZE, GraphBuilder, small_yolox

ANCHORS, SIDE = 3, 2


def without_objectness(path: Path) -> Path:
    """Boxes and the score of one class at two scales, as in YOLOv8."""
    g = GraphBuilder()
    x = g.node("Relu", g.conv("images", (3, 8), 3, 8))
    outputs: dict[str, tuple[int, ...]] = {}
    for feature, cells in ((x, SIZE // 8), (g.node("Relu", g.conv(x, (8, 8), 3, 2)), SIZE // 16)):
        outputs[g.conv(feature, (8, 4))] = (1, 4, cells, cells)
        outputs[g.node("Sigmoid", g.conv(feature, (8, 1)))] = (1, 1, cells, cells)
    return g.save(path, outputs)


@pytest.mark.parametrize("build", [partial(small_yolox, classes=1), without_objectness])
def test_detectors_of_one_class_are_distilled(build: Callable[[Path], Path], tmp_path: Path) -> None:
    graph = read_graph(build(tmp_path / "m.onnx"))
    network = Network(graph, plan_affine_grids(graph, None))
    with torch.no_grad():
        teacher = network(torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)))
    assert distillation_loss(graph.heads, teacher, teacher).abs() < 1e-5
    for position, head in enumerate(graph.heads):
        student = list(teacher)
        student[position] = teacher[position] + 1
        assert distillation_loss(graph.heads, student, teacher) > 1e-3, role(head, graph)


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


BINS = 5


def bin_heads() -> list[GraphHead]:
    box = GraphHead("box", (1, 4 * BINS, SIDE, SIDE), logits=False, role="box")
    return [box, GraphHead("classes", (1, 3, SIDE, SIDE), logits=True, role="classes")]


def test_distributions_of_box_sides_are_compared_after_the_softmax() -> None:
    heads = bin_heads()
    torch.manual_seed(0)
    teacher = [torch.randn(2, *one.shape[1:]) for one in heads]
    shift = torch.randn(2, 4, 1, SIDE, SIDE).expand(2, 4, BINS, SIDE, SIDE).flatten(1, 2)
    shifted = [teacher[0] + shift, teacher[1]]
    assert float(distillation_loss(heads, shifted, teacher)) == pytest.approx(0, abs=1e-5)
    assert float(distillation_loss(heads, shifted, teacher, "difference")) > 1

    student = [teacher[0] + torch.randn(teacher[0].shape), teacher[1]]
    wanted, score = 0.0, torch.sigmoid(teacher[1]).amax(1)
    for side in range(4):
        own, its = (value[0][:, side * BINS : (side + 1) * BINS].softmax(1) for value in (student, teacher))
        wanted += float((score * (its * (its / own).log()).sum(1)).sum())
    expected = BINS_WEIGHT * wanted / max(1.0, float(score.sum()))
    assert float(distillation_loss(heads, student, teacher)) == pytest.approx(expected, rel=1e-4)


def test_boxes_without_bins_are_compared_by_difference_in_any_case() -> None:
    heads = [head("box", 4), head("objectness", 1), head("classes", 3)]
    assert [bins(one) for one in (*heads, *bin_heads())] == [1, 1, 1, BINS, 1]
    teacher = [torch.randn(one.shape) for one in heads]
    student = [value + 0.3 for value in teacher]
    losses = [float(distillation_loss(heads, student, teacher, kind)) for kind in get_args(BoxLoss)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_features_are_compared_by_their_mean_squared_distance(layout: torch.memory_format) -> None:
    random = torch.Generator().manual_seed(0)
    shapes = ((2, 3, 8, 6), (2, 5, 4, 4))
    teacher = [torch.randn(shape, generator=random).to(memory_format=layout) for shape in shapes]
    student = [(one + torch.randn(one.shape, generator=random)).requires_grad_() for one in teacher]
    pairs = list(zip(student, teacher, strict=True))
    wanted = torch.stack([(one - other).square().mean() / other.square().mean() for one, other in pairs])
    got = feature_loss(student, teacher)
    assert got.item() == pytest.approx(wanted.mean().item(), rel=1e-5)
    gradients = torch.autograd.grad(got, student)
    for one, other in zip(gradients, torch.autograd.grad(wanted.mean(), student), strict=True):
        torch.testing.assert_close(one, other)
    assert torch.isfinite(feature_loss(student, [torch.zeros_like(one) for one in teacher]))
