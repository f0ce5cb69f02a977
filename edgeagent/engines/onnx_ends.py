"""Inputs and outputs of an ONNX graph: one picture a call, in float32.

Exports leave the batch size free, or compute in half or double precision. Engines here take static shapes and
float32, as ``edgeagent qat`` does.
"""

from __future__ import annotations

from collections.abc import Callable

from edgeagent.bundle.onnx_message import rewrite
from edgeagent.engines.onnx_nodes import INPUT, NAME, NODE, OUTPUT, unused_name, used_tensors
from edgeagent.files.protobuf import ProtobufMessage

_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT, _VALUE_INFO = 5, 11, 12, 13  # of a graph
_TENSOR_NAME = 8
_OPERATOR, _ATTRIBUTE = 4, 5  # of a node
_ATTRIBUTE_NAME, _ATTRIBUTE_INTEGER, _ATTRIBUTE_TYPE = 1, 3, 20
_INTEGER = 2  # type of an attribute
_FLOAT, _FLOAT16, _DOUBLE, _BFLOAT16 = 1, 10, 11, 16
_PICTURE_RANK = 4


class _Value:
    """Input or output of a graph.

    Attributes:
        name: of the tensor.
        kind: element type.
        sizes: of its dimensions: a number, the name of a free one, or an empty name; None without a shape.
    """

    def __init__(self, content: bytes) -> None:
        self._info = ProtobufMessage.parse(content)
        self._type = ProtobufMessage.parse(self._info.part(2))
        self._tensor = ProtobufMessage.parse(self._type.part(1))
        self.name = self._info.text(1)
        self.kind = self._tensor.integer(1)
        self.sizes: list[int | str] | None = None
        for shape in self._tensor.parts(2)[-1:]:
            dimensions = [ProtobufMessage.parse(part) for part in ProtobufMessage.parse(shape).parts(1)]
            self.sizes = [one.integer(1) if one.integer(1) > 0 else one.text(2) for one in dimensions]

    def encode(self) -> bytes:
        """Return the bytes of it, with its present name, kind and sizes."""
        shape, dimensions = ProtobufMessage([]), []
        for size in self.sizes or ():
            dimension = ProtobufMessage([])
            if size:
                dimension.put(1 if isinstance(size, int) else 2, [size])
            dimensions.append(dimension.encode())
        shape.put(1, dimensions)
        self._tensor.put(1, [self.kind])
        self._tensor.put(2, [] if self.sizes is None else [shape.encode()])
        self._type.put(1, [self._tensor.encode()])
        self._info.put(2, [self._type.encode()])
        return self._info.encode()


def fix_batch(graph: ProtobufMessage) -> bool:
    """Set a free batch size of the picture to 1; return whether it was free.

    The picture is an input of four dimensions of which only the first is free. Inputs whose first dimension
    has the same name are set, too; shapes of outputs are left to the engine.

    Raises:
        ValueError: the graph is damaged.
    """
    inputs = [_Value(bytes(content)) for content in graph.parts(_GRAPH_INPUT)]
    weights = _weights(graph)
    free = [
        value.sizes[0]
        for value in inputs
        if value.name not in weights
        and value.sizes is not None
        and len(value.sizes) == _PICTURE_RANK
        and isinstance(value.sizes[0], str)
        and all(isinstance(size, int) for size in value.sizes[1:])
    ]
    if not free:
        return False
    for value in inputs:
        if value.sizes and value.name not in weights and value.sizes[0] in free:
            picture = len(value.sizes) == _PICTURE_RANK
            if picture or value.sizes[0]:
                value.sizes[0] = 1
    outputs = [_Value(bytes(content)) for content in graph.parts(_GRAPH_OUTPUT)]
    for value in outputs:
        value.sizes = value.sizes and [size if isinstance(size, int) else "" for size in value.sizes]
    graph.put(_GRAPH_INPUT, [value.encode() for value in inputs])
    graph.put(_GRAPH_OUTPUT, [value.encode() for value in outputs])
    graph.put(_VALUE_INFO, [])
    return True


def make_single(graph: ProtobufMessage) -> bool:
    """Cast inputs and outputs of half or double precision, so that they are float32; return whether any is.

    Raises:
        ValueError: the graph is damaged.
    """
    weights = _weights(graph)
    inputs = [_Value(bytes(content)) for content in graph.parts(_GRAPH_INPUT)]
    outputs = [_Value(bytes(content)) for content in graph.parts(_GRAPH_OUTPUT)]
    given = [value for value in inputs if _is_other_float(value) and value.name not in weights]
    written = {name for content in graph.parts(NODE) for name in ProtobufMessage.parse(content).texts(OUTPUT)}
    results = [value for value in outputs if _is_other_float(value) and value.name in written]
    if not given and not results:
        return False
    taken = used_tensors(graph)
    stored = {value.name: unused_name(taken, f"{value.name}/stored") for value in (*given, *results)}
    before = [_cast(value.name, stored[value.name], value.kind) for value in given]
    after = [_cast(stored[value.name], value.name, _FLOAT) for value in results]
    for value in (*given, *results):
        value.kind = _FLOAT
    nodes = [rewrite(content, "node", {"node": _renaming(stored)}) for content in graph.parts(NODE)]
    graph.put(NODE, [*before, *nodes, *after])
    graph.put(_GRAPH_INPUT, [value.encode() for value in inputs])
    graph.put(_GRAPH_OUTPUT, [value.encode() for value in outputs])
    kept = [
        content
        for content in graph.parts(_VALUE_INFO)
        if ProtobufMessage.parse(content).text(1) not in stored
    ]
    graph.put(_VALUE_INFO, kept)
    return True


def _weights(graph: ProtobufMessage) -> set[str]:
    return {ProtobufMessage.parse(content).text(_TENSOR_NAME) for content in graph.parts(_INITIALIZER)}


def _is_other_float(value: _Value) -> bool:
    return value.kind in (_FLOAT16, _DOUBLE, _BFLOAT16)


def _cast(source: str, target: str, kind: int) -> bytes:
    attribute, node = ProtobufMessage([]), ProtobufMessage([])
    attribute.put(_ATTRIBUTE_NAME, ["to"])
    attribute.put(_ATTRIBUTE_INTEGER, [kind])
    attribute.put(_ATTRIBUTE_TYPE, [_INTEGER])
    for number, value in (
        (INPUT, source),
        (OUTPUT, target),
        (NAME, f"{target}/cast"),
        (_OPERATOR, "Cast"),
        (_ATTRIBUTE, attribute.encode()),
    ):
        node.put(number, [value])
    return node.encode()


def _renaming(names: dict[str, str]) -> Callable[[ProtobufMessage], bool]:
    def rename(node: ProtobufMessage) -> bool:
        changed = False
        for number in (INPUT, OUTPUT):
            before = node.texts(number)
            after = [names.get(name, name) for name in before]
            if after != before:
                node.put(number, after)
                changed = True
        return changed

    return rename
