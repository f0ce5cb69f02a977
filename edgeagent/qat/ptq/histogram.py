"""Observed values of a grid's tensors: a histogram of constant size, and extremes.

The histogram is anchored at 0 and widens by doubling the width of its bins, so that pairs of bins merge
exactly and no earlier value is lost, however large a later one is. Half of the bins lie on each side of 0; at
least a quarter of them cover the observed range. They are many times finer than the 256 codes of any useful
grid.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Reals = npt.NDArray[np.float64]

BINS = 16384
HALF = BINS // 2
MOMENTUM = 0.98  # of the average extremes, per picture


class Observed:
    """Observed values of one grid.

    Attributes:
        low, high: extremes, with 0 included.
        average_low, average_high: moving averages of the extremes of each picture, with 0 included.
    """

    def __init__(self) -> None:
        self.low = self.high = 0.0
        self.average_low = self.average_high = 0.0
        self._pictures = 0
        self._width = 0.0
        self._counts: Reals = np.zeros(BINS)
        self._lows: Reals | None = None
        self._highs: Reals | None = None

    def add(self, tensor: Tensor, weight: Tensor | None = None) -> None:
        """Add a finite tensor (pictures, ...); each value counts once, or by its weight."""
        tensor = tensor.detach().float()
        pictures = tensor.flatten(1) if tensor.ndim > 1 else tensor[None]
        lows, highs = (limit.double().cpu().numpy() for limit in torch.aminmax(pictures, dim=1))
        self._lows = lows if self._lows is None else np.minimum(self._lows, lows)
        self._highs = highs if self._highs is None else np.maximum(self._highs, highs)
        self.low, self.high = min(self.low, float(lows.min())), max(self.high, float(highs.max()))
        self._widen(max(-self.low, self.high))
        if not self._width:
            return  # only zeros so far
        bins = (pictures / self._width).floor_().long().add_(HALF).clamp_(0, BINS - 1).flatten()
        counted = torch.bincount(bins, None if weight is None else weight.detach().flatten(), BINS)
        self._counts += counted.double().cpu().numpy()

    def close_batch(self) -> None:
        """Add the extremes of the pictures since the last call to the average."""
        if self._lows is None or self._highs is None:
            return
        for low, high in zip(self._lows, self._highs, strict=True):
            self._pictures += 1
            share = max(1 / self._pictures, 1 - MOMENTUM)
            self.average_low += share * (min(0.0, float(low)) - self.average_low)
            self.average_high += share * (max(0.0, float(high)) - self.average_high)
        self._lows = self._highs = None

    def histogram(self) -> tuple[Reals, Reals]:
        """Return (centres, counts) of the bins that are not empty, each (bins,) float64."""
        (full,) = self._counts.nonzero()
        centres = (full.astype(np.float64) - HALF + 0.5) * self._width
        return centres, self._counts[full]

    def quantile(self, share: float) -> float:
        """Return the quantile: the value below which ``share`` of all values lie, within the extremes."""
        total = np.cumsum(self._counts)
        if not total[-1]:
            return 0.0
        position = int(np.searchsorted(total, share * total[-1]))
        edge = position + (share > 0.5) - HALF  # the outer edge of its bin
        return min(self.high, max(self.low, edge * self._width))

    def _widen(self, extreme: float) -> None:
        if not self._width:
            self._width = extreme / (HALF - 1)
            return
        for _ in range(max(0, math.ceil(math.log2(extreme / (self._width * (HALF - 1)))))):
            merged = self._counts.reshape(-1, 2).sum(1)
            self._counts = np.zeros(BINS)
            self._counts[HALF // 2 : HALF // 2 + HALF] = merged
            self._width *= 2
