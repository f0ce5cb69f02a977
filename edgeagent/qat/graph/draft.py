"""Draft: the mutable graph while it is read and brought to normal form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import numpy as np

from edgeagent.qat.graph.node import Constant, Node, Shape


@dataclass
class Draft:
    """Nodes, and the known facts about their tensors.

    Attributes:
        nodes: in topological order.
        constants: arrays by tensor name.
        shapes: shapes of computed tensors by name, where they are known.
        problems: reason why a node cannot be used, by its name; an error only if the node is needed.
        aliases: removed tensors, and the name of the tensor that replaces each.
    """

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Constant] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def shape(self, tensor: str) -> Shape:
        """Return the shape of a constant or computed tensor; () when it is unknown."""
        return self.constants[tensor].shape if tensor in self.constants else self.shapes.get(tensor, ())

    def constant(self, name: str, value: object, dtype: type = np.float32) -> str:
        """Add a constant and return its name: ``name``, with a number appended if that is taken."""
        name = unused(name, self.constants)
        self.constants[name] = np.asarray(value, dtype)
        return name

    def readers(self) -> dict[str, list[Node]]:
        """Return the nodes that read each tensor."""
        return readers(self.nodes)

    def resolve(self, tensor: str) -> str:
        """Return the present name of a tensor."""
        while tensor in self.aliases:
            tensor = self.aliases[tensor]
        return tensor


def readers(nodes: Iterable[Node]) -> dict[str, list[Node]]:
    """Return the nodes that read each tensor."""
    found: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        for name in dict.fromkeys(node.inputs):
            found[name].append(node)
    return found


def unused(name: str, taken: Collection[str]) -> str:
    """Return ``name``, with a number appended if it is taken."""
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate
