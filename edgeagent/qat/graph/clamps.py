"""Clamps (Relu, Clip) on quantized tensors.

Engines compute a clamp in one step with the operator before it, so that the tensor between them has no grid.

Quantization saturates: a Relu or Clip whose bounds are no narrower than the range of its output's grid
changes no code. Exporters leave such a clamp out, and every engine then computes the operator before it on
integers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from edgeagent.qat.core.codes import HIGHEST
from edgeagent.qat.core.operator_kinds import BEFORE_CLAMP, CLAMPS
from edgeagent.qat.graph.node import Constant, Node


def is_fused_with_clamp(
    node: Node, tensor: str, readers: Mapping[str, Sequence[Node]], float_nodes: Collection[str]
) -> bool:
    """Return whether an output is read by one clamp only, and quantized after that clamp.

    Args:
        node: node that computes the tensor.
        tensor: name of the output.
        readers: nodes that read each tensor.
        float_nodes: names of the nodes that stay float.
    """
    found = readers.get(tensor, [])
    clamped = node.operator in BEFORE_CLAMP and len(found) == 1 and found[0].operator in CLAMPS
    return clamped and node.name not in float_nodes and found[0].name not in float_nodes


def is_redundant_clamp(node: Node, constants: Mapping[str, Constant], scale: float, zero_point: int) -> bool:
    """Return whether a node is a clamp that changes no code on the grid of its output.

    A bound within half a step of the end of the grid rounds to that end.

    Args:
        node: any node.
        constants: arrays by tensor name.
        scale: scale of the output's grid.
        zero_point: its zero point, 0..255.
    """
    if node.operator not in CLAMPS:
        return False
    low, high = _bounds(node, constants)
    bottom, top = -zero_point * scale, (HIGHEST - zero_point) * scale
    return bottom >= low - scale / 2 and top <= high + scale / 2


def _bounds(node: Node, constants: Mapping[str, Constant]) -> tuple[float, float]:
    if node.operator == "Relu":
        return 0.0, float("inf")
    low, high = (constants.get(name) for name in (*node.inputs[1:], "", "")[:2])
    return (
        float("-inf") if low is None else float(low),
        float("inf") if high is None else float(high),
    )
