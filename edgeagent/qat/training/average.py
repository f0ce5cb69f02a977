"""Exponential moving average of a network: weights, biases, scales and zero points.

Grids are averaged with the weights, over the same steps: averaged weights on the grids of a single step, or
the other way round, would be a combination that no step was trained with.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from edgeagent.qat.network.network import Network


class WeightAverage:
    """Average of a network's parameters.

    Args:
        network: network to average.
        decay: share of the old average in the new one at each step, 0..1; 0 keeps the last weights.

    Attributes:
        weights: averages by parameter name.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self._network, self._decay, self._steps = network, decay, 0
        self.weights = {name: value.detach().clone() for name, value in self._parameters()}

    @torch.no_grad()
    def update(self) -> None:
        """Add the parameters of a step; the decay is lower in the first steps."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        for name, value in self._parameters():
            self.weights[name].lerp_(value, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Load the averaged parameters into the network, and restore its own on exit."""
        kept = {name: value.detach().clone() for name, value in self._parameters()}
        self.apply(self.weights)
        try:
            yield
        finally:
            self.apply(kept)

    @torch.no_grad()
    def apply(self, weights: dict[str, Tensor]) -> None:
        """Load parameters into the network."""
        for name, value in self._parameters():
            value.copy_(weights[name])

    def state_dict(self) -> dict[str, object]:
        """Return the state for :meth:`load_state_dict`."""
        return {"weights": self.weights, "steps": self._steps}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restore a saved state."""
        weights, steps = state["weights"], state["steps"]
        assert isinstance(weights, dict) and isinstance(steps, int)  # noqa: S101 - written by state_dict
        for name, value in weights.items():
            self.weights[name].copy_(value)
        self._steps = steps

    def _parameters(self) -> list[tuple[str, Tensor]]:
        network = self._network
        named = (("convolutions", network.convolutions), ("grids", network.grids))
        return [
            (f"{part}.{name}", value) for part, module in named for name, value in module.named_parameters()
        ]
