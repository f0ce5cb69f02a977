"""Which tensors share a quantization grid, and what kind of grid each is: preset ``a``.

The rules are those that TFLite, Edge TPU, ONNX Runtime and OpenVINO accept alike (TensorFlow's 8-bit
quantization specification):

- activations are per-tensor affine with 8 bits; real 0 is always a code;
- outputs of sigmoid and softmax have scale 1/256 and zero point 0 (uint8), those of tanh 1/128 and 128;
- concat, pools, nearest resize, reshape, transpose, slice, gather, pad and split do not change the grid;
- a sum or convolution followed only by Relu or Clip is quantized after it, never in between;
- constant operands of sums and products lie on grids of their own, fixed by their values;
- the picture has the grid of its pixels when the network takes 0..255 as it is.

Codes here are 0..255. The int8 code of TFLite is this code minus 128. A tensor without a grid stays float.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.node import Constant, Node
from edgeagent.qat.graph.operators import operands
from edgeagent.qat.grid.float_region import real_tensors
from edgeagent.qat.network.kernels import LEVELS

SAME_GRID = frozenset(
    {
        "AveragePool",
        "Concat",
        "DepthToSpace",
        "Gather",
        "MaxPool",
        "Pad",
        "Reshape",
        "Resize",
        "Slice",
        "Split",
        "Transpose",
    }
)
"""Operators whose outputs lie on the grid of their input."""

INTERPOLATING = frozenset({b"linear"})
CLAMPS = frozenset({"Relu", "Clip"})
BEFORE_CLAMP = frozenset({"Add", "Conv", "Div", "MatMul", "Mul", "Sub"})
"""Operators that engines compute together with the clamp behind them."""

FIXED = {
    "HardSigmoid": (1 / LEVELS, 0),
    "Sigmoid": (1 / LEVELS, 0),
    "Softmax": (1 / LEVELS, 0),
    "Tanh": (2 / LEVELS, LEVELS // 2),
}
"""Grids that TFLite prescribes, by operator, as (scale, zero point)."""

PIXELS = (1.0, 0)
"""Scale and zero point of a picture that a network takes as it is."""
Preset = Literal["a", "b"]
Channels = tuple[float, float, float]


@dataclass
class Grid:
    """One grid, shared by one or more tensors.

    Attributes:
        tensors: whose values lie on it, producers first.
        fixed: (scale, zero point) that no calibration may change, or None.
        symmetric: whether the zero point is 128, which is 0 for int8 codes.
    """

    tensors: list[str]
    fixed: tuple[float, int] | None = None
    symmetric: bool = False


@dataclass(frozen=True)
class GridPlan:
    """Grids of a graph.

    Attributes:
        grids: all grids.
        of: position in ``grids`` for each quantized tensor, constant operands included.
        silu: Mul nodes that complete ``x * sigmoid(x)``, by the name of x.
        preset: ``a`` (this module) or ``b`` (:mod:`edgeagent.qat.grid.symmetric`).
        reads_float: (first output of a node, tensor): the node reads this tensor as it was before its
            quantization.
        mean, std: what the artefact itself does with each channel of its picture; only of preset ``b``.
        float_nodes: names of nodes that compute in float, see :mod:`edgeagent.qat.grid.float_region`.
    """

    grids: tuple[Grid, ...]
    of: dict[str, int]
    silu: dict[str, Node]
    preset: Preset = "a"
    reads_float: frozenset[tuple[str, str]] = frozenset()
    mean: Channels = (0.0, 0.0, 0.0)
    std: Channels = (1.0, 1.0, 1.0)
    float_nodes: frozenset[str] = frozenset()


def plan_affine_grids(
    graph: Graph, picture: tuple[float, int] | None, float_nodes: frozenset[str] = frozenset()
) -> GridPlan:
    """Assign a grid to every tensor of the integer part.

    Args:
        graph: the graph, cut at its heads.
        picture: scale and zero point of the picture's grid where its codes are pixels
            (:func:`edgeagent.qat.grid.input_grid.pixel_grid`), :data:`PIXELS` without mean and std.
        float_nodes: names of nodes to leave in float; tensors between them get no grid.
    """
    readers = graph.consumers()
    real = real_tensors(graph, float_nodes)
    heads = {head.tensor for head in graph.heads}
    shared = _Shared()
    shared.add(graph.input, picture)
    for node in graph.nodes:
        for name in operands(node):
            if name in graph.constants and node.name not in float_nodes:
                shared.add(name, constant_grid(graph.constants[name]))
        for output in node.outputs:
            clamped = output not in heads and _clamped_later(node, output, readers, float_nodes)
            if output not in real and not clamped:
                shared.add(output, FIXED.get(node.operator))
        if node.operator in SAME_GRID and node.name not in float_nodes:
            shared.join(operands(node), node.outputs)
    grids = shared.grids()
    of = {tensor: index for index, grid in enumerate(grids) for tensor in grid.tensors}
    found = _silu(graph, readers, float_nodes)
    silu = {x: product for x, product in found.items() if product.outputs[0] in of}  # else a clamp comes next
    return GridPlan(grids, of, silu, float_nodes=float_nodes)


def constant_grid(values: Constant) -> tuple[float, int]:
    """Return (scale, zero point) of the finest grid that covers 0 and some constant values."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    scale = max(high - low, 1e-6) / (LEVELS - 1)
    return scale, round(-low / scale)


class _Shared:
    """Tensors joined into sets of one grid."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self._fixed: dict[str, tuple[float, int] | None] = {}

    def add(self, tensor: str, fixed: tuple[float, int] | None) -> None:
        if tensor not in self._parent:
            self._parent[tensor], self._fixed[tensor] = tensor, fixed

    def join(self, operands: Sequence[str], outputs: Sequence[str]) -> None:
        """Put outputs on the grid of the operands.

        Operands on different grids of which one is fixed keep theirs: scores of 1/256 next to features must
        not make the features as small. Their values are quantized anew where they are joined.
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


def keeps_codes(node: Node) -> bool:
    """Return whether every output value is one of the input values, so that nothing is rounded anew.

    A concatenation keeps codes once its operands are on the grid of its output.
    """
    interpolates = node.operator == "AveragePool" or node.attributes.get("mode") in INTERPOLATING
    adds_a_value = node.operator == "Pad" and len(node.inputs) > 2
    return node.operator in SAME_GRID and not interpolates and not adds_a_value


def _clamped_later(
    node: Node, tensor: str, readers: dict[str, list[Node]], float_nodes: frozenset[str]
) -> bool:
    found = readers.get(tensor, [])
    clamped = node.operator in BEFORE_CLAMP and len(found) == 1 and found[0].operator in CLAMPS
    return clamped and not float_nodes & {node.name, found[0].name}


def _silu(graph: Graph, readers: dict[str, list[Node]], float_nodes: frozenset[str]) -> dict[str, Node]:
    """Find integer ``x * sigmoid(x)`` whose parts nobody else reads."""
    found = {}
    heads = {head.tensor for head in graph.heads}
    for node in graph.nodes:
        if node.operator != "Sigmoid" or node.name in float_nodes:
            continue
        x, gate = node.inputs[0], node.outputs[0]
        product = readers.get(gate, [])
        is_product = (
            len(product) == 1 and product[0].operator == "Mul" and set(product[0].inputs) == {x, gate}
        )
        integer = is_product and product[0].name not in float_nodes
        if integer and len(readers[x]) == 2 and x not in heads:
            found[x] = product[0]
    return found
