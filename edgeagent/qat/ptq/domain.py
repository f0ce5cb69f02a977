"""Comparison of pictures by the activations that they cause in a float network."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from torch import Tensor

from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.calibration import choose_range, observe


def width_ratio(network: Network, pictures: Iterable[Tensor], others: Iterable[Tensor]) -> float:
    """Return how much wider the activations of other pictures are: the median ratio of all tensors.

    The width of a tensor is its range without the outermost 0.01 % on each side.

    Args:
        network: network whose float activations are compared.
        pictures: batches (b, 3, h, w) float32.
        others: batches of the other pictures.
    """
    ratios = []
    seen, elsewhere = (observe(network, batches) for batches in (pictures, others))
    for index in seen.keys() & elsewhere.keys():
        if network.plan.grids[index].fixed is not None:
            continue
        (low, high), (other_low, other_high) = (
            choose_range(found[index], "percentile") for found in (seen, elsewhere)
        )
        if high > low:
            ratios.append((other_high - other_low) / (high - low))
    return statistics.median(ratios) if ratios else 1.0
