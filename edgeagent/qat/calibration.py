"""Calibration: ranges of the activation grids from a few float batches.

Three methods, all on the same samples:

- ``minmax``: the range seen;
- ``percentile``: the range without the outermost 0.01 % on each side, so that a few outliers do not cost
  everybody else their resolution;
- ``mse``: of many ranges between these and narrower ones, the one with the least mean squared error of
  rounding and clipping together.
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
from edgeagent.qat.kernels import LEVELS
from edgeagent.qat.network import Network

Method = Literal["minmax", "percentile", "mse"]
METHODS: tuple[Method, ...] = ("minmax", "percentile", "mse")

Samples = npt.NDArray[np.float32]

SAMPLES_PER_TENSOR = 4096
OUTSIDE = 1e-4
SHARES = np.linspace(0.2, 1.0, 33)  # of the range seen, tried by ``mse`` on each side


@dataclass
class Observed:
    """What one grid's tensors held: the extremes of all values, and an even sample of them."""

    low: float = 0.0
    high: float = 0.0
    parts: list[Samples] = field(default_factory=list)

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
    samples = np.concatenate(observed.parts)
    if method == "percentile":
        low, high = np.quantile(samples, [OUTSIDE, 1 - OUTSIDE])
        return min(0.0, float(low)), max(0.0, float(high))
    return _least_error(samples)


def _least_error(samples: Samples) -> tuple[float, float]:
    """Shrink the range seen, first its wider side, then the other, as long as the error falls."""
    low, high = min(0.0, float(samples.min())), max(0.0, float(samples.max()))
    sides = ("low", "high") if -low > high else ("high", "low")
    for side in sides:
        tried = [(share * low, high) if side == "low" else (low, share * high) for share in SHARES]
        low, high = min(tried, key=lambda limits: _error(samples, *limits))
    return low, high


def _error(samples: Samples, low: float, high: float) -> float:
    """Mean squared error of the samples on the grid of a range."""
    scale = max(high - low, 1e-6) / (LEVELS - 1)
    zero = round(-low / scale)
    codes = np.clip(np.round(samples / scale) + zero, 0, LEVELS - 1)
    return float(np.mean(((codes - zero) * scale - samples) ** 2))
