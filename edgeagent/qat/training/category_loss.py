"""Supervised loss of classifiers: cross-entropy of the softmax against the class of the picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def category_loss(outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Return the mean cross-entropy of the labelled pictures.

    Args:
        outputs: the only head, (b, classes, 1, 1).
        targets: of each picture, (1, 5) float32: its class, then the box of the whole picture.
    """
    classes = torch.stack([target[0, 0] for target in targets]).long().to(outputs[0].device)
    return functional.cross_entropy(outputs[0].flatten(1), classes)
