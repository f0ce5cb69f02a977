"""Learning rates: the recipe's rate for weights, higher rates for scales and zero points.

Weights are relative to their channel's absmax, so that one rate suits all of them. Scales and zero points are
few and start from calibration.
"""

from __future__ import annotations

from typing import Any

import torch

from edgeagent.qat.network.network import Network
from edgeagent.qat.training.recipe import Recipe

SCALE_RATE = 5.0  # times the weight rate: 1e-3 on the logarithm of the scale
ZERO_POINT_RATE = 100.0  # times the weight rate: 0.02 codes a step


def parameter_groups(network: Network, rate: float, learns_scales: bool) -> list[dict[str, Any]]:
    """Return the parameter groups of an optimiser, each with its name and peak rate."""
    weights = {"name": "weights", "params": list(network.convolutions.parameters()), "peak": rate}
    if not learns_scales:
        return [weights]
    grids = dict(network.grids.named_parameters())
    scales = [p for name, p in grids.items() if name.endswith("log_scale")]
    zeros = [p for name, p in grids.items() if name.endswith("zero_point")]
    return [
        weights,
        {"name": "scales", "params": scales, "peak": rate * SCALE_RATE},
        {"name": "zero points", "params": zeros, "peak": rate * ZERO_POINT_RATE},
    ]


def set_rates(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int) -> None:
    """Set the rates of a step; frozen groups have the rate 0."""
    factor, learns_scales = recipe.rate(step), recipe.learns_scales(step)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor if learns_scales or group["name"] == "weights" else 0.0
