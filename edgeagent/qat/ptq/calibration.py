"""Calibration: ranges of the activation grids from a few float batches.

::

    observe -> histogram, extremes and average extremes of every grid -> a method -> a range for each grid

Methods, all on the same observation:

- ``minmax``: the range seen;
- ``percentile``: the range without the outermost 0.01 % on each side, so that a few outliers do not cost
  everybody else their resolution;
- ``mse``: of many ranges between these and narrower ones, the one with the least squared error of rounding
  and clipping together, over the histogram of all values;
- ``average``: the moving average of each picture's own extremes.

:func:`set_best_ranges` chooses for each grid the method that errs least on pictures held out; errors may be
weighted by what they cost at the heads (:mod:`edgeagent.qat.ptq.importance`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, cast

import torch
from torch import Tensor

from edgeagent.errors import DataError
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.histogram import Observed
from edgeagent.qat.ptq.range_search import error, least_error

Method = Literal["minmax", "percentile", "mse", "average"]
METHODS: tuple[Method, ...] = ("minmax", "percentile", "mse", "average")

OUTSIDE = 1e-4


@torch.no_grad()
def observe(network: Network, batches: Iterable[Tensor]) -> dict[int, Observed]:
    """Run float batches (b, 3, h, w) and return what each grid's tensors held, by position of the grid.

    Raises:
        DataError: a tensor is not finite; it is named.
    """
    seen: dict[int, Observed] = {}

    def add(index: int, tensor: Tensor) -> None:
        if not bool(torch.isfinite(tensor.sum())) and not bool(tensor.isfinite().all()):
            raise DataError(
                f"tensor {network.plan.grids[index].tensors[0]} holds values that are not finite; check the "
                "weights of the model"
            )
        seen.setdefault(index, Observed()).add(tensor)

    network.set_mode("float")
    network.set_observer(add)
    try:
        for batch in batches:
            network(batch)
            for observed in seen.values():
                observed.close_batch()
    finally:
        network.set_observer(None)
    return seen


def set_ranges(network: Network, seen: Mapping[int, Observed], method: Method) -> None:
    """Choose every grid of the network that is not fixed, from what was observed."""
    for index, grid in _free_grids(network):
        if index in seen:
            grid.set_range(*choose_range(seen[index], method, _symmetric(grid)))


def set_best_ranges(
    network: Network,
    seen: Mapping[int, Observed],
    held_out: Mapping[int, Observed],
    weighted: Mapping[int, Observed] | None = None,
) -> dict[str, str]:
    """Choose for every grid that is not fixed the method whose range errs least on pictures held out.

    Args:
        network: its grids are set.
        seen: what the ranges are made from.
        held_out: what they are judged by: the same of other pictures, weighted or not.
        weighted: another source of a range: least error over weighted values.

    Returns:
        The method by the name of each grid's first tensor.
    """
    chosen: dict[str, str] = {}
    for index, grid in _free_grids(network):
        if index not in seen or index not in held_out:
            continue
        symmetric = _symmetric(grid)
        ranges: dict[str, tuple[float, float]] = {
            method: choose_range(seen[index], method, symmetric) for method in METHODS
        }
        if weighted is not None and index in weighted:
            ranges["weighted"] = choose_range(weighted[index], "mse", symmetric)
        values, counts = held_out[index].histogram()
        best = min(ranges, key=lambda name: error(values, counts, *ranges[name], symmetric))
        grid.set_range(*ranges[best])
        chosen[network.plan.grids[index].tensors[0]] = best
    return chosen


def choose_range(observed: Observed, method: Method, symmetric: bool = False) -> tuple[float, float]:
    """Return (low, high) of a grid, low <= 0 <= high; ``symmetric`` tells how ``mse`` counts its errors."""
    if method == "minmax":
        return observed.low, observed.high
    if method == "percentile":
        return min(0.0, observed.quantile(OUTSIDE)), max(0.0, observed.quantile(1 - OUTSIDE))
    if method == "average":
        return observed.average_low, observed.average_high
    return least_error(*observed.histogram(), observed.low, observed.high, symmetric)


def _free_grids(network: Network) -> Iterator[tuple[int, ActivationGrid]]:
    for index, grid in enumerate(network.grids):
        if network.plan.grids[index].fixed is None:
            yield index, cast(ActivationGrid, grid)


def _symmetric(grid: ActivationGrid) -> bool:
    return bool(getattr(grid, "symmetric", False))
