"""Affine grids: the plan for TFLite, Edge TPU, ONNX Runtime and OpenVINO.

All four accept the rules of TensorFlow's 8-bit quantization specification:

- activations are per-tensor affine with 8 bits; real 0 is always a code;
- outputs of sigmoid and softmax have scale 1/256 and zero point 0 (uint8), those of tanh 1/128 and 128;
- concat, pools, nearest resize, reshape, transpose, slice, gather, pad and split keep the grid of their
  input;
- a sum or convolution followed only by Relu or Clip is quantized after the clamp;
- constant operands of sums and products have grids of their own, fixed by their values;
- the picture has the grid of its pixels when the network takes 0..255 unchanged.

Codes are counted 0..255. The int8 code of TFLite is this code minus 128. A tensor without a grid stays float.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from edgeagent.qat.core.codes import HIGHEST, LEVELS
from edgeagent.qat.core.operator_kinds import SAME_GRID
from edgeagent.qat.graph.clamps import is_fused_with_clamp
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.hard_gates import hard_swish_gates
from edgeagent.qat.graph.node import Constant
from edgeagent.qat.graph.operators import operands
from edgeagent.qat.graph.silu import find_silu
from edgeagent.qat.grid.plan import Grid, GridPlan

FIXED = {
    "HardSigmoid": (1 / LEVELS, 0),
    "Sigmoid": (1 / LEVELS, 0),
    "Softmax": (1 / LEVELS, 0),
    "Tanh": (2 / LEVELS, LEVELS // 2),
}
"""Grids that TFLite prescribes, by operator, as (scale, zero point)."""

UNIT = (1 / HIGHEST, 0)
"""Grid of the gate of a HardSwish, 0..1: 1 is a code, so that the gate changes no large value."""

PIXELS = (1.0, 0)
"""Scale and zero point of the picture for a network that takes 0..255 unchanged."""


def plan_affine_grids(
    graph: Graph, picture: tuple[float, int] | None, float_nodes: frozenset[str] = frozenset()
) -> GridPlan:
    """Return the plan with a grid for every tensor of the integer part.

    Args:
        graph: graph, cut at its heads.
        picture: scale and zero point of a grid on which the picture's codes are pixels
            (:func:`edgeagent.qat.grid.planning.pixel_grid`): :data:`PIXELS` without mean and std; None
            for a calibrated grid.
        float_nodes: names of the nodes that stay float; tensors between them have no grid.
    """
    readers = graph.consumers()
    real = real_tensors(graph, float_nodes)
    heads = {head.tensor for head in graph.heads}
    gates = hard_swish_gates(graph)
    shared = _Shared()
    shared.add(graph.input, picture)
    for node in graph.nodes:
        for name in operands(node):
            if name in graph.constants and node.name not in float_nodes:
                shared.add(name, constant_grid(graph.constants[name]))
        for output in node.outputs:
            clamped = output not in heads and is_fused_with_clamp(node, output, readers, float_nodes)
            if output not in real and not clamped:
                shared.add(output, UNIT if output in gates else FIXED.get(node.operator))
        if node.operator in SAME_GRID and node.name not in float_nodes:
            shared.join(operands(node), node.outputs)
    grids = shared.grids()
    of = {tensor: index for index, grid in enumerate(grids) for tensor in grid.tensors}
    return GridPlan(grids, of, find_silu(graph, float_nodes), float_nodes=float_nodes)


def real_tensors(graph: Graph, float_nodes: Collection[str]) -> frozenset[str]:
    """Return the tensors that only float nodes write and read; they have no grid.

    Tensors between a float and an integer node are quantized. Heads always have a grid, so that the format
    of an artefact's outputs does not depend on which nodes stay float.

    Args:
        graph: graph, cut at its heads.
        float_nodes: names of the nodes that stay float.
    """
    if not float_nodes:
        return frozenset()
    integer_reads = {name for node in graph.nodes if node.name not in float_nodes for name in node.inputs}
    bordering = integer_reads | {head.tensor for head in graph.heads}
    made = {name for node in graph.nodes if node.name in float_nodes for name in node.outputs}
    return frozenset(made - bordering)


def constant_grid(values: Constant) -> tuple[float, int]:
    """Return (scale, zero point 0..255) of the finest grid that covers 0 and all values of a constant."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = max(high - low, 1e-6) / (LEVELS - 1)
    return scale, round(-low / scale)


class _Shared:
    """Tensors grouped into sets that share a grid (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self._fixed: dict[str, tuple[float, int] | None] = {}

    def add(self, tensor: str, fixed: tuple[float, int] | None) -> None:
        if tensor not in self._parent:
            self._parent[tensor], self._fixed[tensor] = tensor, fixed

    def join(self, operands: Sequence[str], outputs: Sequence[str]) -> None:
        """Put outputs on the grid of the operands.

        Where operands have different fixed grids, only the calibrated ones are joined: scores with scale
        1/256 must not impose that scale on features. Operands on other grids are requantized at the join.
        """
        roots = {self._root(name) for name in operands if name in self._parent}
        if len({self._fixed[root] for root in roots}) > 1:
            roots = {root for root in roots if self._fixed[root] is None}
        first, *others = [*roots, *(self._root(name) for name in outputs if name in self._parent)]
        for root in others:
            if root != first:
                self._parent[root] = first

    def grids(self) -> tuple[Grid, ...]:
        members: dict[str, list[str]] = {}
        for tensor in self._parent:
            members.setdefault(self._root(tensor), []).append(tensor)
        return tuple(Grid(tensors, self._fixed[root]) for root, tensors in members.items())

    def _root(self, tensor: str) -> str:
        while self._parent[tensor] != tensor:
            tensor = self._parent[tensor]
        return tensor
