"""Learning rates: the recipe's rate for weights, multiples of it for scales and zero points.

Weights are relative to their channel's absmax, so that one rate suits all of them. Scales and zero points are
few and start from calibration; their rates are multiples of that of the weights. With the default rates a
scale moves by at most 0.15 % and a zero point by 0.03 codes a step.
"""

from __future__ import annotations

from typing import Any

import torch

from edgeagent.qat.network.network import Network
from edgeagent.qat.training.recipe import Recipe

WEIGHTS, SCALES, ZERO_POINTS = "weights", "scales", "zero points"


def parameter_groups(network: Network, learns_scales: bool) -> list[dict[str, Any]]:
    """Return the parameter groups of an optimiser, each with its name."""
    weights = {"name": WEIGHTS, "params": list(network.convolutions.parameters())}
    if not learns_scales:
        return [weights]
    grids = dict(network.grids.named_parameters())
    scales = [p for name, p in grids.items() if name.endswith("log_scale")]
    zeros = [p for name, p in grids.items() if name.endswith("zero_point")]
    return [weights, {"name": SCALES, "params": scales}, {"name": ZERO_POINTS, "params": zeros}]


def set_rates(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int) -> None:
    """Set the rates of a step; frozen groups have the rate 0."""
    grids = recipe.weight_rate * recipe.grid_rate(step)
    rates = {
        WEIGHTS: recipe.weight_rate * recipe.rate(step),
        SCALES: grids * recipe.scale_rate,
        ZERO_POINTS: grids * recipe.zero_point_rate,
    }
    for group in optimizer.param_groups:
        group["lr"] = rates[group["name"]]
