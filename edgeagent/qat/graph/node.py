"""Node of a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from edgeagent.errors import DataError

Constant = npt.NDArray[Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One operator.

    Attributes:
        name: name of the node, unique in the graph.
        operator: ONNX operator.
        inputs: names of tensors and constants; empty for an input left out.
        outputs: names of tensors.
        attributes: ONNX attributes as Python values.
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


def unsupported(node: Node, what: str) -> DataError:
    """Return the error for an unsupported use of an operator."""
    return DataError(f"{what} of node {node.name} ({node.operator}) is not supported by qat")
