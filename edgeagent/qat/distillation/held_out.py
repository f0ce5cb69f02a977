"""Held-out pictures: the loss of a student against its teacher on pictures that it is not trained on.

No labels are needed. Accuracy is measured on other pictures, so that choosing the best weights by this loss
does not bias it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgeagent.qat.distillation.loss import distillation_loss
from edgeagent.qat.network.network import Network


class HeldOut:
    """Batches of pictures with the teacher's outputs.

    Args:
        teacher: float network; run once.
        batches: pictures (b, 3, h, w) float32, on the teacher's device.
    """

    def __init__(self, teacher: Network, batches: Sequence[Tensor]) -> None:
        self._batches = batches
        with torch.no_grad():
            self._answers = [teacher(batch) for batch in batches]

    @torch.no_grad()
    def loss(self, student: Network) -> float:
        """Return the mean distillation loss of the batches; 0 without any."""
        losses = [
            float(distillation_loss(student.graph.heads, student(batch), answer))
            for batch, answer in zip(self._batches, self._answers, strict=True)
        ]
        return sum(losses) / max(1, len(losses))
