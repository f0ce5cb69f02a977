"""Early stopping: the best state on the held-out pictures, and the end of training without improvement."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn


class EarlyStopping:
    """Best state of a network, and the number of checks since.

    A check may compare several states of the same step: its weights and their average.

    Args:
        patience: checks without improvement after which training ends; 0 never ends.
        keeps_best: whether the best state is kept without patience, too.
    """

    def __init__(self, patience: int, keeps_best: bool = True) -> None:
        self._patience, self._keeps = patience, keeps_best or patience > 0
        self._best: float | None = None
        self._state: dict[str, Any] = {}
        self._checks = 0

    @property
    def ended(self) -> bool:
        """Whether training should end."""
        return 0 < self._patience <= self._checks

    def begin_check(self) -> None:
        """Count a check; a better state found in it sets the count back."""
        self._checks += 1

    def compare(self, loss: float, network: nn.Module) -> None:
        """Keep the state of the network if its loss is the lowest so far."""
        if not self._keeps or (self._best is not None and loss >= self._best):
            return
        self._best, self._checks = loss, 0
        self._state = copy.deepcopy(network.state_dict())

    def restore(self, network: nn.Module) -> bool:
        """Load the best state into the network; return whether there is one."""
        if self._state:
            network.load_state_dict(self._state)
        return bool(self._state)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for :meth:`load_state_dict`."""
        return {"best": self._best, "state": self._state, "looks": self._checks}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved state."""
        self._best, self._state, self._checks = state["best"], state["state"], state["looks"]
