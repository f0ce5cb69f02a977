"""Parts of an ONNX file that hold tensors or nodes, found without the package ``onnx``.

Field numbers are those of ``onnx.proto`` (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from edgeagent.files.protobuf import LENGTH, Content, Field, ProtobufMessage

Kind = Literal["model", "graph", "function", "node", "attribute", "tensor", "sparse"]
Change = Callable[[ProtobufMessage], bool]
"""Changes a message in place, and returns whether it did."""

GRAPH = 7  # of a model
_PARTS: dict[Kind, dict[int, Kind]] = {
    "model": {GRAPH: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_DEEPEST = 64  # messages in messages: a node of a graph in a node takes three
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a tensor
_EXTERNAL = 1
_LOCATION = b"location"  # key of the name of another file


def rewrite(content: Content, kind: Kind, changes: Mapping[Kind, Change], depth: int = 0) -> Content:
    """Return a message with all messages inside it changed, the innermost first.

    Args:
        content: bytes of the message.
        kind: what it is.
        changes: applied to each message of their kind, itself included.
        depth: of the message in the file.

    Returns:
        ``content`` itself when nothing was changed.

    Raises:
        ValueError: the bytes are no such message, or it is nested too deeply.
    """
    if depth > _DEEPEST:
        raise ValueError(f"messages are nested more than {_DEEPEST} deep")
    message, changed = ProtobufMessage.parse(content), False
    for index, field in enumerate(message.fields):
        inner = _PARTS[kind].get(field.number)
        if inner is None or isinstance(field.value, int):
            continue
        value = rewrite(field.value, inner, changes, depth + 1)
        if value is not field.value:
            message.fields[index], changed = Field(field.number, LENGTH, value), True
    if kind in changes:
        changed |= changes[kind](message)
    return message.encode() if changed else content


def external_entries(tensor: ProtobufMessage) -> dict[str, str]:
    """Return where the data of a tensor lies: ``location``, ``offset``, ``length``; empty if inside it."""
    if tensor.integer(_DATA_LOCATION) != _EXTERNAL:
        return {}
    entries = [ProtobufMessage.parse(entry) for entry in tensor.parts(_EXTERNAL_DATA)]
    return {"location": "", **{entry.text(1): entry.text(2) for entry in entries}}


def external_files(path: Path) -> list[str]:
    """Return the other files in which the weights of an ONNX file lie; empty if it is no ONNX file.

    Raises:
        OSError: the file cannot be read.
    """
    found = set()

    def look(tensor: ProtobufMessage) -> bool:
        entries = external_entries(tensor)
        if entries:
            found.add(entries["location"])
        return False

    with path.open("rb") as file:
        if not path.stat().st_size:
            return []
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if content.find(_LOCATION) < 0:
        return []  # without a look at thousands of messages
    try:
        rewrite(memoryview(content), "model", {"tensor": look})
    except ValueError:
        return []  # the engine says what is wrong with it
    return sorted(found)
