"""Calibration: ranges of the activation grids from a few float batches.

Three methods, all on the same samples:

- ``minmax``: the range seen;
- ``percentile``: the range without the outermost 0.01 % on each side;
- ``error``: the range with the least squared rounding and clipping error, counted where it matters: behind
  the SiLU or sigmoid that reads the tensor, because what these flatten need not be represented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgeagent.qat.fake_quantize import HIGHEST
from edgeagent.qat.network import Network

Method = Literal["minmax", "percentile", "error"]
Samples = npt.NDArray[np.float32]
Response = Callable[[Samples], Samples]

PER_TENSOR = 4096
SEARCHED = 32768
OUTSIDE = 1e-4
SHRINK = np.linspace(0.15, 1.0, 18)


@dataclass
class Observed:
    """What one grid's tensors held: extremes of all values, and a sample of them."""

    low: float = 0.0
    high: float = 0.0
    parts: list[Samples] = field(default_factory=list)

    def add(self, tensor: Tensor) -> None:
        """Take note of a tensor of any shape."""
        flat = tensor.detach().flatten()
        self.low = min(self.low, float(flat.min()))
        self.high = max(self.high, float(flat.max()))
        step = max(1, flat.numel() // PER_TENSOR)
        self.parts.append(flat[::step].float().numpy().copy())

    def samples(self) -> Samples:
        """Return at most ``SEARCHED`` values, evenly taken, and the extremes."""
        every = np.concatenate(self.parts)
        step = max(1, len(every) // SEARCHED)
        return np.append(every[::step], np.array([self.low, self.high], np.float32))


@torch.no_grad()
def observe(network: Network, batches: Iterable[Tensor]) -> dict[int, Observed]:
    """Run float batches (b, 3, h, w) and return what each grid's tensors held."""
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
    """Choose every learned grid of the network from what was observed."""
    responses = _responses(network)
    for index, grid in enumerate(network.grids):
        if index not in seen or network.plan.grids[index].fixed is not None:
            continue
        low, high = choose_range(seen[index], method, responses.get(index, _identity))
        grid.set_range(low, high)  # type: ignore[operator]  # an ActivationGrid, typed as Module by ModuleList


def choose_range(observed: Observed, method: Method, response: Response) -> tuple[float, float]:
    """Return (low, high) of a grid, low <= 0 <= high."""
    if method == "minmax":
        return observed.low, observed.high
    samples = observed.samples()
    if method == "percentile":
        low, high = np.quantile(samples, [OUTSIDE, 1 - OUTSIDE])
        return min(0.0, float(low)), max(0.0, float(high))
    return _least_error(samples, observed.low, observed.high, response)


def _least_error(samples: Samples, low: float, high: float, response: Response) -> tuple[float, float]:
    """Search the two ends in turn, twice, from the full range inwards."""
    wanted = response(samples)

    def error(candidate: tuple[float, float]) -> float:
        return float(np.square(response(_quantize(samples, *candidate)) - wanted).mean())

    best = (low, high)
    for _ in range(2):
        if high > 0:
            best = min(((best[0], float(high * f)) for f in SHRINK), key=error)
        if low < 0:
            best = min(((float(low * f), best[1]) for f in SHRINK), key=error)
    return best


def _quantize(samples: Samples, low: float, high: float) -> Samples:
    scale = max(high - low, 1e-6) / HIGHEST
    zero = round(-low / scale)
    codes = np.clip(np.round(samples / scale) + zero, 0, HIGHEST)
    result: Samples = ((codes - zero) * scale).astype(np.float32)
    return result


def _identity(x: Samples) -> Samples:
    return x


def _sigmoid(x: Samples) -> Samples:
    result: Samples = np.float32(1) / (1 + np.exp(-x))
    return result


def _silu(x: Samples) -> Samples:
    return x * _sigmoid(x)


def _responses(network: Network) -> dict[int, Response]:
    """Return the function that reads a grid's tensors, where it is SiLU or sigmoid."""
    plan = network.plan
    responses: dict[int, Response] = {plan.of[x]: _silu for x in plan.silu}
    responses.update({plan.of[head.tensor]: _sigmoid for head in network.graph.heads if head.logits})
    return responses
