"""Entries of the operator tables, and access to the constant inputs of a node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edgeagent.qat.graph.node import Constant, Node, unsupported

Function = Callable[..., Any]
Builder = Callable[[Node, Mapping[str, Constant]], Function]


def parameter(node: Node, constants: Mapping[str, Constant], position: int) -> Constant | None:
    """Return a constant input; None when it is left out.

    Raises:
        DataError: the input is computed from the picture.
    """
    if position >= len(node.inputs) or not node.inputs[position]:
        return None
    if node.inputs[position] not in constants:
        raise unsupported(node, f"a computed input {position}")
    return constants[node.inputs[position]]


def required(node: Node, constants: Mapping[str, Constant], position: int) -> Constant:
    """Return a mandatory constant input.

    Raises:
        DataError: the input is missing, or computed from the picture.
    """
    value = parameter(node, constants, position)
    if value is None:
        raise unsupported(node, f"a missing input {position}")
    return value


def plain(function: Function) -> Builder:
    """Return the builder of an operator without parameters."""
    return lambda node, constants: function
