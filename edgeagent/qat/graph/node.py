"""One operator of a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from edgeagent.errors import DataError

Constant = npt.NDArray[Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One operator with its attributes as Python values."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


def module_name(name: str) -> str:
    """Return the name of a node's module in the network: that of the node, without dots."""
    return name.replace(".", "_")


def unsupported(node: Node, what: str) -> DataError:
    """Return the error that says which use of an operator is not supported."""
    return DataError(f"{what} of node {node.name} ({node.operator}) is not supported by qat")
