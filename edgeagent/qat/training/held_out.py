"""Pictures that are not trained on, to see how far the student is from its teacher there.

No labels are needed, and the pictures that accuracy is measured on stay out of it, so that choosing the best
weights by them cannot flatter the accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgeagent.qat.network.network import Network
from edgeagent.qat.training.distillation import distillation_loss


class HeldOut:
    """Batches of pictures with the teacher's answers.

    Args:
        teacher: float network; asked once.
        batches: pictures (b, 3, h, w) float32, on the teacher's device.
    """

    def __init__(self, teacher: Network, batches: Sequence[Tensor]) -> None:
        self._batches = batches
        with torch.no_grad():
            self._answers = [teacher(batch) for batch in batches]

    @torch.no_grad()
    def loss(self, student: Network) -> float:
        """Return the mean distillation loss of the batches, 0 without any."""
        losses = [
            float(distillation_loss(student.graph.heads, student(batch), answer))
            for batch, answer in zip(self._batches, self._answers, strict=True)
        ]
        return sum(losses) / max(1, len(losses))
