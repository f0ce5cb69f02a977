"""Grid plan: the quantization grid of every tensor of a graph."""

from __future__ import annotations

from dataclasses import dataclass

from edgeagent.qat.core.codes import GridKind
from edgeagent.qat.core.operator_kinds import INTERPOLATING, SAME_GRID
from edgeagent.qat.graph.node import Node

Channels = tuple[float, float, float]


@dataclass
class Grid:
    """One grid, shared by one or more tensors.

    Attributes:
        tensors: names of the tensors on the grid, producers first.
        fixed: (scale, zero point 0..255) that calibration does not change; None for a calibrated grid.
        symmetric: whether the zero point is always 128, int8 code 0.
    """

    tensors: list[str]
    fixed: tuple[float, int] | None = None
    symmetric: bool = False


@dataclass(frozen=True)
class GridPlan:
    """Grids of a graph.

    Attributes:
        grids: all grids.
        of: position in ``grids`` by tensor name, for each quantized tensor and constant operand; a tensor
            without an entry stays float.
        silu: Mul node that completes ``x * sigmoid(x)``, by the name of x.
        kind: affine (:mod:`edgeagent.qat.grid.affine`), symmetric (:mod:`edgeagent.qat.grid.symmetric`) or
            partial (:mod:`edgeagent.qat.grid.partial`).
        reads_float: pairs (first output of a node, tensor) where the node reads the tensor before its
            quantization.
        mean, std: normalization per channel that the artefact itself computes; not for affine grids.
        float_nodes: names of the nodes that compute in float.
    """

    grids: tuple[Grid, ...]
    of: dict[str, int]
    silu: dict[str, Node]
    kind: GridKind = "affine"
    reads_float: frozenset[tuple[str, str]] = frozenset()
    mean: Channels = (0.0, 0.0, 0.0)
    std: Channels = (1.0, 1.0, 1.0)
    float_nodes: frozenset[str] = frozenset()


def keeps_codes(node: Node) -> bool:
    """Return whether every output value is one of the input values, so that no value is rounded again.

    A concatenation keeps codes once its operands are on the grid of its output.
    """
    interpolates = node.operator == "AveragePool" or node.attributes.get("mode") in INTERPOLATING
    adds_a_value = node.operator == "Pad" and len(node.inputs) > 2
    return node.operator in SAME_GRID and not interpolates and not adds_a_value
