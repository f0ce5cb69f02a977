"""Limit of gradients: a step whose gradient is much larger than those before it moves the weights less.

A few pictures can give a gradient many times the usual one; without a limit, such a step is a spike of the
loss that takes many steps to mend.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Any

import torch
from torch import Tensor

HIGHEST_NORM = 10.0
REMEMBERED = 50  # steps
FEWEST = 10  # steps before the median counts


class GradientLimit:
    """Limit of the norm of all gradients, from the norms of the last steps.

    Args:
        multiple: limit as a multiple of the median norm; 0 has only the fixed limit.
    """

    def __init__(self, multiple: float) -> None:
        self._multiple = multiple
        self._norms: list[float] = []

    @property
    def limit(self) -> float:
        """Highest norm of the next step."""
        if not self._multiple or len(self._norms) < FEWEST:
            return HIGHEST_NORM
        return min(HIGHEST_NORM, self._multiple * median(self._norms))

    def apply(self, parameters: Iterable[Tensor], norm: float) -> None:
        """Scale gradients of a norm down to the limit, and remember the norm if it is finite."""
        limit = self.limit
        if limit < norm < float("inf"):
            for parameter in parameters:
                if parameter.grad is not None:
                    parameter.grad.mul_(limit / norm)
        if norm < float("inf"):
            self._norms = [*self._norms, norm][-REMEMBERED:]

    def state_dict(self) -> dict[str, Any]:
        """Return the state for :meth:`load_state_dict`."""
        return {"norms": self._norms}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved state."""
        self._norms = state["norms"]


def gradient_norm(parameters: Iterable[Tensor]) -> float:
    """Return the norm of all gradients together; not finite if one is not."""
    norms = [
        torch.linalg.vector_norm(parameter.grad) for parameter in parameters if parameter.grad is not None
    ]
    return float(torch.linalg.vector_norm(torch.stack(norms))) if norms else 0.0
