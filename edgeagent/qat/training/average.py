"""An exponential moving average of the weights; grids are taken as they are.

Averaged scales would round the averaged weights on grids that no step was trained on (quantization toolkits
that average at all copy the grids).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from edgeagent.qat.network.network import Network


class WeightAverage:
    """The average of a network's weights and biases.

    Args:
        network: whose weights are followed.
        decay: share of the old average that is kept at each step, 0..1; 0 follows the last step.

    Attributes:
        weights: averages by the name of the parameter.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self._network, self._decay, self._steps = network, decay, 0
        self.weights = {name: value.detach().clone() for name, value in self._parameters()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights of a step; the first steps count more, as there is nothing before them."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        for name, value in self._parameters():
            self.weights[name].lerp_(value, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the network the averaged weights for a while."""
        kept = {name: value.detach().clone() for name, value in self._parameters()}
        self.apply(self.weights)
        try:
            yield
        finally:
            self.apply(kept)

    @torch.no_grad()
    def apply(self, weights: dict[str, Tensor]) -> None:
        """Give the network these weights."""
        for name, value in self._parameters():
            value.copy_(weights[name])

    def state_dict(self) -> dict[str, object]:
        """Return what :meth:`load_state_dict` takes."""
        return {"weights": self.weights, "steps": self._steps}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Continue where another average stood."""
        weights, steps = state["weights"], state["steps"]
        assert isinstance(weights, dict) and isinstance(steps, int)  # noqa: S101 - of our own checkpoint
        for name, value in weights.items():
            self.weights[name].copy_(value)
        self._steps = steps

    def _parameters(self) -> list[tuple[str, Tensor]]:
        return list(self._network.convolutions.named_parameters())
