"""Early stopping: the weights that were best on the held-out pictures, and when to give up on better ones."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn


class EarlyStopping:
    """Remembers the best state of a network.

    Args:
        patience: looks without a better one after which there is no use going on; 0 never ends, and keeps
            no state.
    """

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._best: float | None = None
        self._state: dict[str, Any] = {}
        self._looks = 0

    @property
    def ended(self) -> bool:
        """Whether patience has ended."""
        return 0 < self._patience <= self._looks

    def look(self, loss: float, network: nn.Module) -> None:
        """Take note of a loss, and of the network when it is the lowest."""
        if not self._patience:
            return
        self._looks += 1
        if self._best is None or loss < self._best:
            self._best, self._looks = loss, 0
            self._state = copy.deepcopy(network.state_dict())

    def restore(self, network: nn.Module) -> None:
        """Give the network its best state, if there is one."""
        if self._state:
            network.load_state_dict(self._state)

    def state_dict(self) -> dict[str, Any]:
        """Return what :meth:`load_state_dict` takes."""
        return {"best": self._best, "state": self._state, "looks": self._looks}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where another one stood."""
        self._best, self._state, self._looks = state["best"], state["state"], state["looks"]
