"""A graph on its way from a file to its normal form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

import numpy as np

from edgeagent.qat.graph.node import Constant, Node, Shape


@dataclass
class Draft:
    """Nodes with what is known about their tensors.

    Attributes:
        nodes: in topological order.
        constants: arrays by tensor name.
        shapes: of computed tensors, by name, where they are known.
        problems: why a node cannot be used, by its name; they matter only if it is needed.
        aliases: tensors that went away, and the one each is now.
    """

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Constant] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def shape(self, tensor: str) -> Shape:
        """Return the shape of a constant or computed tensor, () when it is not known."""
        return self.constants[tensor].shape if tensor in self.constants else self.shapes.get(tensor, ())

    def constant(self, name: str, value: object, dtype: type = np.float32) -> str:
        """Add a constant and return its name, which is ``name`` or like it."""
        name = unused(name, self.constants)
        self.constants[name] = np.asarray(value, dtype)
        return name

    def readers(self) -> dict[str, list[Node]]:
        """Return the nodes that read each tensor."""
        return readers(self.nodes)

    def resolve(self, tensor: str) -> str:
        """Return the name that a tensor has now."""
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


def unused(name: str, taken: Collection[str], key: Callable[[str], str] = str) -> str:
    """Return ``name``, with a number behind it when its key is taken."""
    candidate, number = name, 1
    while key(candidate) in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate
