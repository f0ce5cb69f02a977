"""The loss of masks: zero for a copy, blind outside of boxes, and its curvature."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from edgeagent.bundle.manifest import Role
from edgeagent.qat.distillation.loss import MASK_WEIGHT, distillation_loss
from edgeagent.qat.distillation.mask_loss import TeacherMasks
from edgeagent.qat.graph.graph import GraphHead
from edgeagent.qat.ptq.importance import curvature

COUNT, CELLS, ROWS = 3, (4, 2), 8
FAMILIES: dict[str, dict[Role, int]] = {
    "yolox": {"box": 4, "objectness": 1, "classes": 2},
    "bins": {"box": 16, "classes": 2},
    "distances": {"box": 4, "classes": 2},
}


def heads_of(family: str) -> list[GraphHead]:
    roles: dict[Role, int] = {**FAMILIES[family], "mask": COUNT}
    scaled = [
        GraphHead(f"{role}{side}", (1, channels, side, side), role in ("classes", "objectness"), role)
        for side in CELLS
        for role, channels in roles.items()
    ]
    return [*scaled, GraphHead("prototypes", (1, COUNT, ROWS, ROWS), False, "prototypes")]


def outputs(heads: Sequence[GraphHead], seed: int, pictures: int = 2) -> list[Tensor]:
    random = torch.Generator().manual_seed(seed)
    values = [torch.randn(pictures, *head.shape[1:], generator=random) for head in heads]
    return [value.abs() if head.role == "box" else value for head, value in zip(heads, values, strict=True)]


@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_head_of_masks_counts(family: str) -> None:
    heads = heads_of(family)
    teacher = outputs(heads, 1)
    assert distillation_loss(heads, teacher, teacher).abs() < 1e-5
    for place, head in enumerate(heads):
        student = [value.clone() for value in teacher]
        if head.role in ("mask", "prototypes"):
            student[place] += 0.5
            assert distillation_loss(heads, student, teacher) > 1e-3, head.tensor


def test_prototypes_outside_of_the_boxes_do_not_count() -> None:
    """All boxes lie in the upper half of the picture."""
    heads = heads_of("distances")
    teacher = outputs(heads, 2)
    for place, head in enumerate(heads):
        side = head.shape[2]
        if head.role == "box":
            teacher[place] = torch.full_like(teacher[place], 0.4)
        if head.role == "classes":
            teacher[place][:, :, side // 2 :] = -40.0
    student = [value.clone() for value in teacher]
    student[-1][:, :, ROWS // 2 :] += 3
    assert TeacherMasks(heads, teacher).divergence(student) < 1e-6
    student[-1][:, :, : ROWS // 2] += 3
    assert TeacherMasks(heads, teacher).divergence(student) > 1e-2


def test_masks_are_compared_not_their_factors() -> None:
    heads = heads_of("yolox")
    teacher = outputs(heads, 3)
    student = [
        value * 4 if head.role == "mask" else value / 4 if head.role == "prototypes" else value
        for head, value in zip(heads, teacher, strict=True)
    ]
    assert TeacherMasks(heads, teacher).divergence(student) < 1e-6


@pytest.mark.parametrize("family", list(FAMILIES))
def test_the_curvature_is_the_second_derivative_by_each_value(family: str) -> None:
    heads = heads_of(family)
    teacher = outputs(heads, 4, pictures=1)
    found = curvature(heads, teacher)
    for place, head in enumerate(heads):
        if head.role not in ("mask", "prototypes"):
            continue

        def loss(value: Tensor, place: int = place) -> Tensor:
            student = [*teacher[:place], value, *teacher[place + 1 :]]
            return MASK_WEIGHT * TeacherMasks(heads, teacher).divergence(student)

        count = teacher[place].numel()
        whole = torch.autograd.functional.hessian(loss, teacher[place])  # type: ignore[no-untyped-call]
        wanted = whole.reshape(count, count).diagonal().reshape(teacher[place].shape)
        torch.testing.assert_close(found[place], wanted, rtol=1e-3, atol=1e-6)
    assert sum(float(second.sum()) for second in found) > 0
