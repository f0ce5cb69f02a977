"""Network on partial grids, made from one on affine grids.

It has the same weights, and the same grids where convolutions read: nothing is calibrated or trained again.
"""

from __future__ import annotations

from typing import cast

import torch

from edgeagent.bundle.manifest import InputSpec
from edgeagent.errors import DataError
from edgeagent.qat.grid.planning import plan_grids
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.network import Network


@torch.no_grad()
def on_partial_grids(network: Network, spec: InputSpec) -> Network:
    """Return the network with codes only where convolutions read, for OpenVINO.

    Args:
        network: calibrated or trained network on affine grids.
        spec: input of the model.

    Raises:
        DataError: the network is not on affine grids, or computes layers in float.
    """
    if network.plan.kind != "affine" or network.plan.float_nodes:
        raise DataError("partial grids are made from affine grids without layers in float")
    made = Network(network.graph, plan_grids(network.graph, spec, "partial"))
    made.convolutions.load_state_dict(network.convolutions.state_dict())
    for index, grid in enumerate(made.plan.grids):
        if grid.fixed is None:
            # of tensors that share a grid, the last one is where they are joined
            source = cast(ActivationGrid, network.grids[network.plan.of[grid.tensors[-1]]])
            copied = cast(ActivationGrid, made.grids[index])
            copied.log_scale.copy_(source.log_scale)
            copied.zero_point.copy_(source.zero_point)
    made.set_mode("quantize")
    return made
