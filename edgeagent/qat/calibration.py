"""Calibration: ranges of the activation grids from a few float batches.

Two methods, both on the same samples:

- ``minmax``: the range seen;
- ``percentile``: the range without the outermost 0.01 % on each side, so that a few outliers do not cost
  everybody else their resolution.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgeagent.qat.fake_quantize import ActivationGrid
from edgeagent.qat.network import Network

Method = Literal["minmax", "percentile"]

SAMPLES_PER_TENSOR = 4096
OUTSIDE = 1e-4


@dataclass
class Observed:
    """What one grid's tensors held: the extremes of all values, and an even sample of them."""

    low: float = 0.0
    high: float = 0.0
    parts: list[npt.NDArray[np.float32]] = field(default_factory=list)

    def add(self, tensor: Tensor) -> None:
        """Take note of a tensor of any shape."""
        flat = tensor.detach().flatten()
        self.low = min(self.low, float(flat.min()))
        self.high = max(self.high, float(flat.max()))
        step = max(1, flat.numel() // SAMPLES_PER_TENSOR)
        self.parts.append(flat[::step].float().numpy().copy())


@torch.no_grad()
def observe(network: Network, batches: Iterable[Tensor]) -> dict[int, Observed]:
    """Run float batches (b, 3, h, w) and return what each grid's tensors held, by position of the grid."""
    seen: dict[int, Observed] = {}
    network.set_mode("float")
    network.set_observer(lambda index, tensor: seen.setdefault(index, Observed()).add(tensor))
    try:
        for batch in batches:
            network(batch)
    finally:
        network.set_observer(None)
    return seen


def set_ranges(network: Network, seen: dict[int, Observed], method: Method) -> None:
    """Choose every grid of the network that is not fixed, from what was observed."""
    for index, grid in enumerate(network.grids):
        if network.plan.grids[index].fixed is None and index in seen:
            cast(ActivationGrid, grid).set_range(*choose_range(seen[index], method))


def choose_range(observed: Observed, method: Method) -> tuple[float, float]:
    """Return (low, high) of a grid, low <= 0 <= high."""
    if method == "minmax":
        return observed.low, observed.high
    low, high = np.quantile(np.concatenate(observed.parts), [OUTSIDE, 1 - OUTSIDE])
    return min(0.0, float(low)), max(0.0, float(high))
