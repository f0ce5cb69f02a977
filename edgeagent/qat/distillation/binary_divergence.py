"""Divergence of two probabilities that are given as logits."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def binary_divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the binary cross-entropy minus the teacher's own entropy: 0 for a perfect copy, elementwise."""
    wanted = torch.sigmoid(teacher)
    cross = functional.binary_cross_entropy_with_logits(student, wanted, reduction="none")
    return cross - functional.binary_cross_entropy_with_logits(teacher, wanted, reduction="none")
