"""Which tensors share a quantization grid, and what kind of grid each is: preset ``a``.

The rules are those that TFLite, Edge TPU, ONNX Runtime and OpenVINO accept alike (TensorFlow's 8-bit
quantization specification):

- activations are per-tensor affine with 8 bits; real 0 is always a code;
- a sigmoid's output has scale 1/256 and zero point 0 (uint8);
- concat, max-pool, nearest resize, reshape, transpose, slice and split do not change the grid;
- a convolution followed only by Relu or Clip is quantized after it, never in between;
- the picture has the grid of its pixels when the network takes 0..255 as it is.

Codes here are 0..255. The int8 code of TFLite is this code minus 128.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgeagent.errors import DataError
from edgeagent.qat.graph import Graph
from edgeagent.qat.node import Node

SAME_GRID = frozenset(
    {
        "Concat",
        "MaxPool",
        "Resize",
        "Reshape",
        "Transpose",
        "Slice",
        "Split",
        "Squeeze",
        "Unsqueeze",
        "Identity",
    }
)
INTERPOLATING = frozenset({b"linear", b"cubic"})
CLAMPS = frozenset({"Relu", "Clip"})
LEVELS = 256

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
        of: position in ``grids`` for each quantized tensor.
        silu: Mul nodes that complete ``x * sigmoid(x)``, by the name of x.
        preset: ``a`` (this module) or ``b`` (:mod:`edgeagent.qat.preset_b`).
        reads_float: (first output of a node, tensor): the node reads this tensor as it was before its
            quantization.
        mean, std: what the artefact itself does with each channel of its picture; only of preset ``b``.
    """

    grids: tuple[Grid, ...]
    of: dict[str, int]
    silu: dict[str, Node]
    preset: Preset = "a"
    reads_float: frozenset[tuple[str, str]] = frozenset()
    mean: Channels = (0.0, 0.0, 0.0)
    std: Channels = (1.0, 1.0, 1.0)


def plan_grids(graph: Graph, pixel_input: bool) -> GridPlan:
    """Assign a grid to every tensor of the integer part.

    Args:
        graph: the graph, cut at its heads.
        pixel_input: the network takes pixels 0..255 without mean and std.

    Raises:
        DataError: two fixed grids would have to be the same one.
    """
    readers = graph.consumers()
    parent: dict[str, str] = {}

    def find(tensor: str) -> str:
        while parent[tensor] != tensor:
            tensor = parent[tensor]
        return tensor

    fixed: dict[str, tuple[float, int]] = {}
    parent[graph.input] = graph.input
    if pixel_input:
        fixed[graph.input] = (1.0, 0)
    for node in graph.nodes:
        for output in node.outputs:
            if not _clamped_later(output, readers):
                parent[output] = output
        if node.operator == "Sigmoid":
            fixed[node.outputs[0]] = (1.0 / LEVELS, 0)
        if node.operator in SAME_GRID:
            for tensor in (*node.inputs, *node.outputs):
                if tensor in parent:
                    parent[find(tensor)] = find(node.outputs[0])
    members: dict[str, list[str]] = {}
    for tensor in parent:
        members.setdefault(find(tensor), []).append(tensor)
    grids = [Grid(tensors, _one_fixed(tensors, fixed)) for tensors in members.values()]
    of = {tensor: index for index, grid in enumerate(grids) for tensor in grid.tensors}
    return GridPlan(tuple(grids), of, _silu(graph, readers))


def keeps_codes(node: Node) -> bool:
    """Return whether every output value is one of the input values, so that nothing is rounded anew."""
    return node.operator in SAME_GRID and node.attributes.get("mode") not in INTERPOLATING


def _clamped_later(tensor: str, readers: dict[str, list[Node]]) -> bool:
    return len(readers.get(tensor, [])) == 1 and readers[tensor][0].operator in CLAMPS


def _one_fixed(tensors: list[str], fixed: dict[str, tuple[float, int]]) -> tuple[float, int] | None:
    found = {fixed[tensor] for tensor in tensors if tensor in fixed}
    if len(found) > 1:
        raise DataError(
            f"tensors {tensors} must share one grid but have different fixed ones: {sorted(found)}"
        )
    return found.pop() if found else None


def _silu(graph: Graph, readers: dict[str, list[Node]]) -> dict[str, Node]:
    """Find ``x * sigmoid(x)`` whose parts nobody else reads."""
    found = {}
    heads = {head.tensor for head in graph.heads}
    for node in graph.nodes:
        if node.operator != "Sigmoid":
            continue
        x, gate = node.inputs[0], node.outputs[0]
        product = readers.get(gate, [])
        is_product = (
            len(product) == 1 and product[0].operator == "Mul" and set(product[0].inputs) == {x, gate}
        )
        if is_product and len(readers[x]) == 2 and x not in heads:
            found[x] = product[0]
    return found
