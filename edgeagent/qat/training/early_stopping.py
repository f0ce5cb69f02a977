"""Early stopping: the best weights on the held-out pictures, and the end of training without improvement."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn


class EarlyStopping:
    """Best state of a network, and the number of checks since.

    Args:
        patience: checks without improvement after which training ends; 0 never ends, and keeps no state.
    """

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._best: float | None = None
        self._state: dict[str, Any] = {}
        self._checks = 0

    @property
    def ended(self) -> bool:
        """Whether training should end."""
        return 0 < self._patience <= self._checks

    def check(self, loss: float, network: nn.Module) -> None:
        """Record a loss, and the state of the network if it is the lowest so far."""
        if not self._patience:
            return
        self._checks += 1
        if self._best is None or loss < self._best:
            self._best, self._checks = loss, 0
            self._state = copy.deepcopy(network.state_dict())

    def restore(self, network: nn.Module) -> None:
        """Load the best state into the network, if one was recorded."""
        if self._state:
            network.load_state_dict(self._state)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for :meth:`load_state_dict`."""
        return {"best": self._best, "state": self._state, "looks": self._checks}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved state."""
        self._best, self._state, self._checks = state["best"], state["state"], state["looks"]
