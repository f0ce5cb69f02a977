"""Grid plan of a graph for a model's input, on each kind of grid.

A model that takes (pixel - mean) / std with one integer mean and one std for all channels has its
normalization in the grid of its input: scale 1/std, zero point mean. The code of every normalized pixel is
then the pixel itself, and real 0, the padding of convolutions, is the pixel ``mean``: exact, also at the
border.
"""

from __future__ import annotations

from collections.abc import Collection

from edgeagent.bundle.manifest import InputSpec
from edgeagent.qat.core.codes import LEVELS, GridKind
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.grid.affine import plan_affine_grids
from edgeagent.qat.grid.partial import plan_partial_grids
from edgeagent.qat.grid.plan import Channels, GridPlan
from edgeagent.qat.grid.symmetric import plan_symmetric_grids


def plan_grids(graph: Graph, spec: InputSpec, kind: GridKind, float_nodes: Collection[str] = ()) -> GridPlan:
    """Return the grids of a graph.

    Args:
        graph: graph, cut at its heads.
        spec: input of the model.
        kind: kind of grid.
        float_nodes: names of the nodes that stay float; affine grids only.
    """
    if kind == "symmetric":
        return plan_symmetric_grids(graph, spec.mean, spec.std)
    if kind == "partial":
        return plan_partial_grids(graph, spec.mean, spec.std)
    return plan_affine_grids(graph, pixel_grid(spec.mean, spec.std), frozenset(float_nodes))


def pixel_grid(mean: Channels, std: Channels) -> tuple[float, int] | None:
    """Return (scale, zero point 0..255) of the input grid whose codes are pixels; None if there is none."""
    whole = mean[0] == round(mean[0]) and 0 <= mean[0] < LEVELS
    if not whole or len(set(mean)) > 1 or len(set(std)) > 1:
        return None
    return 1.0 / std[0], int(mean[0])
