"""Input of a normal form: a node, and the known facts about its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeagent.errors import DataError
from edgeagent.qat.graph.draft import Draft
from edgeagent.qat.graph.node import Constant, Node, Shape, unsupported


@dataclass(frozen=True)
class Form:
    """Node of a file.

    Attributes:
        node: node as read, with its final name.
        draft: constants and shapes of all nodes before, and of its outputs.
        opset: opset of the file.
    """

    node: Node
    draft: Draft
    opset: int

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute or its default."""
        return self.node.attributes.get(name, default)

    def text(self, name: str, default: str) -> str:
        """Return a string attribute."""
        value = self.attribute(name, default)
        return value.decode() if isinstance(value, bytes) else str(value)

    def has(self, position: int) -> bool:
        """Return whether an optional input is given."""
        return position < len(self.node.inputs) and self.node.inputs[position] != ""

    def constant(self, position: int) -> Constant | None:
        """Return a constant input; None when it is left out or empty.

        Raises:
            DataError: the input is computed from the picture.
        """
        if not self.has(position):
            return None
        value = self.draft.constants.get(self.node.inputs[position])
        if value is None:
            raise self.unsupported(f"a computed input {position} ({self.node.inputs[position]})")
        return value if value.size else None

    def required(self, position: int) -> Constant:
        """Return a mandatory constant input.

        Raises:
            DataError: the input is missing, or computed from the picture.
        """
        value = self.constant(position)
        if value is None:
            raise self.unsupported(f"a missing input {position}")
        return value

    def parameter(self, name: str, position: int) -> Constant | None:
        """Return integers that are an attribute in old opsets and an input in new ones; None without them."""
        if name in self.node.attributes:
            return np.asarray(self.node.attributes[name], np.int64)
        return self.constant(position)

    def shape(self, position: int = 0) -> Shape:
        """Return the shape of an input.

        Raises:
            DataError: the shape is unknown.
        """
        shape = self.draft.shape(self.node.inputs[position])
        if not shape:
            raise self.unsupported(f"an input of unknown shape ({self.node.inputs[position]})")
        return shape

    def axis(self, value: int, rank: int | None = None) -> int:
        """Return an axis counted from the front.

        Raises:
            DataError: the axis is the batch, or out of range.
        """
        rank = rank or len(self.shape())
        axis = value + rank if value < 0 else value
        if not 0 < axis < rank:
            raise self.unsupported(f"axis {value}, which would mix the pictures of a batch,")
        return axis

    def new(self, operator: str, suffix: str, *inputs: str, shape: Shape, **attributes: Any) -> Node:
        """Return a node for an intermediate tensor of a known shape."""
        output = f"{self.node.outputs[0]}/{suffix}"
        self.draft.shapes[output] = shape
        return Node(f"{self.node.name}/{suffix}", operator, inputs, (output,), attributes)

    def final(self, operator: str, *inputs: str, **attributes: Any) -> Node:
        """Return the node that computes the outputs, under the name of the source node."""
        return Node(self.node.name, operator, inputs, self.node.outputs, attributes)

    def store(self, suffix: str, value: object, dtype: type = np.float32) -> str:
        """Add a constant and return its name."""
        return self.draft.constant(f"{self.node.outputs[0]}.{suffix}", value, dtype)

    def unsupported(self, what: str) -> DataError:
        """Return the error for an unsupported use of the operator."""
        return unsupported(self.node, what)
