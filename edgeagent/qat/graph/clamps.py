"""Clamps that the grid behind them makes needless.

Quantization saturates. A Relu or Clip whose bounds are no narrower than the range of its output's grid
changes no code, so artefacts leave it out: engines then always compute the operator before it on
integers, whatever they think of the clamp.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgeagent.qat.graph.node import Constant, Node
from edgeagent.qat.grid.affine import CLAMPS
from edgeagent.qat.network.kernels import HIGHEST


def is_needless(
    node: Node, constants: Mapping[str, Constant], scale: float, zero_point: int, highest: int = HIGHEST
) -> bool:
    """Return whether a node is a clamp whose output grid, of codes 0 to ``highest``, clamps as much.

    A bound within half a step of the grid's end rounds to it.
    """
    if node.operator not in CLAMPS:
        return False
    low, high = _bounds(node, constants)
    bottom, top = -zero_point * scale, (highest - zero_point) * scale
    return bottom >= low - scale / 2 and top <= high + scale / 2


def _bounds(node: Node, constants: Mapping[str, Constant]) -> tuple[float, float]:
    if node.operator == "Relu":
        return 0.0, float("inf")
    low, high = (constants.get(name) for name in (*node.inputs[1:], "", "")[:2])
    return (
        float("-inf") if low is None else float(low),
        float("inf") if high is None else float(high),
    )
