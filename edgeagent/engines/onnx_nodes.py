"""Nodes of an ONNX graph: their order and names.

The specification asks for nodes in topological order with unique names. Converters to half precision append
casts at the end, and some exports repeat names; ONNX Runtime reads the former, ``onnx`` the latter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set

from edgeagent.bundle.onnx_message import rewrite
from edgeagent.files.protobuf import Content, ProtobufMessage

NODE = 1  # of a graph
INPUT, OUTPUT, NAME = 1, 2, 3  # of a node


def sort_nodes(graph: ProtobufMessage) -> bool:
    """Sort the nodes of a graph topologically, with as few moves as possible; return whether any moved.

    A graph with a cycle is left as it is.

    Raises:
        ValueError: a node is damaged.
    """
    contents = graph.parts(NODE)
    reads = [_reads(content) for content in contents]
    writers = {
        name: index
        for index, content in enumerate(contents)
        for name in ProtobufMessage.parse(content).texts(OUTPUT)
        if name
    }
    before = [
        sorted({writers[name] for name in names if name in writers} - {index})
        for index, names in enumerate(reads)
    ]
    if all(index > max(needed, default=-1) for index, needed in enumerate(before)):
        return False
    order = _order(before)
    if order is None:
        return False
    graph.put(NODE, [contents[index] for index in order])
    return True


def name_nodes(graph: ProtobufMessage) -> bool:
    """Give nodes whose name occurred before another one; return whether there were any.

    Raises:
        ValueError: a node is damaged.
    """
    nodes = [ProtobufMessage.parse(content) for content in graph.parts(NODE)]
    taken, seen, changed = {node.text(NAME) for node in nodes}, set(), False
    numbers: Counter[str] = Counter()  # last one tried for each name, as thousands of nodes may share it
    for node in nodes:
        name = node.text(NAME)
        if name and name in seen:
            number = numbers[name] or 2
            while f"{name}_{number}" in taken:
                number += 1
            numbers[name] = number
            name, changed = f"{name}_{number}", True
            taken.add(name)
            node.put(NAME, [name])
        seen.add(name)
    if changed:
        graph.put(NODE, [node.encode() for node in nodes])
    return changed


def used_tensors(graph: ProtobufMessage) -> set[str]:
    """Return the names of all tensors that a node reads or writes."""
    taken: set[str] = set()

    def look(node: ProtobufMessage) -> bool:
        taken.update(node.texts(INPUT), node.texts(OUTPUT))
        return False

    rewrite(graph.encode(), "graph", {"node": look})
    return taken


def unused_name(taken: Set[str], name: str) -> str:
    """Return ``name``, with a number appended if it is taken."""
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate


def _reads(content: Content) -> set[str]:
    """Return the tensors that a node reads, also in the graphs inside it."""
    names: set[str] = set()

    def look(node: ProtobufMessage) -> bool:
        names.update(node.texts(INPUT))
        return False

    rewrite(content, "node", {"node": look})
    return names


def _order(before: list[list[int]]) -> list[int] | None:
    """Return the positions so that each comes after those it needs; None where they need each other."""
    order: list[int] = []
    done: dict[int, bool] = {}  # False while those before it are added
    for first in range(len(before)):
        waiting: list[tuple[int, Iterable[int]]] = [] if first in done else [(first, iter(before[first]))]
        if waiting:
            done[first] = False
        while waiting:
            index, needed = waiting[-1]
            following = next((one for one in needed if not done.get(one, False)), None)
            if following is None:
                done[index] = True
                order.append(index)
                waiting.pop()
            elif following in done:
                return None
            else:
                done[following] = False
                waiting.append((following, iter(before[following])))
    return order
