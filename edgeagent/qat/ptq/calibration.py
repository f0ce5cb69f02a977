"""Calibration: ranges of the activation grids, from a few float batches.

::

    observe -> histogram, extremes and average extremes of every grid -> method -> range of each grid

Methods, all from the same observation:

- ``minmax``: the observed range;
- ``percentile``: the range without the outermost 0.01 % on each side, so that outliers do not reduce the
  resolution of all other values;
- ``mse``: of the observed and many narrower ranges, the one with the least squared error of rounding and
  clipping, over the histogram of all values;
- ``average``: the moving average of the extremes of each picture.

:func:`set_best_ranges` chooses for each grid the method with the least error on held-out pictures; errors may
be weighted by their effect at the heads (:mod:`edgeagent.qat.ptq.importance`).
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

OUTSIDE = 1e-4  # share of the values clipped on each side by ``percentile``


@torch.no_grad()
def observe(network: Network, batches: Iterable[Tensor]) -> dict[int, Observed]:
    """Run float batches (b, 3, h, w) and return the observed values by position of the grid.

    Raises:
        DataError: a tensor is not finite; the message names it.
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
    """Set every grid of the network that is not fixed, from observed values."""
    for index, grid in _free_grids(network):
        if index in seen:
            grid.set_range(*choose_range(seen[index], method, _symmetric(grid)))


def set_best_ranges(
    network: Network,
    seen: Mapping[int, Observed],
    held_out: Mapping[int, Observed],
    weighted: Mapping[int, Observed] | None = None,
) -> dict[str, str]:
    """Set every grid that is not fixed by the method with the least error on held-out pictures.

    Args:
        network: network whose grids are set.
        seen: observed values from which the ranges are made.
        held_out: values of held-out pictures, weighted or not, by which the ranges are compared.
        weighted: weighted values for one more candidate, the range of least weighted error.

    Returns:
        The chosen method by the name of each grid's first tensor.
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
    """Return (low, high) of a grid, low <= 0 <= high.

    Args:
        observed: observed values.
        method: calibration method.
        symmetric: whether ``mse`` counts errors on a symmetric grid.
    """
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
