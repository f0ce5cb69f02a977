"""Outputs of the detection operator in a TFLite file, read from its FlatBuffer.

``TFLite_Detection_PostProcess`` writes boxes, classes, scores and count in this order
(tensorflow/lite/kernels/detection_postprocess.cc), but the outputs of the graph may be listed in another one:
exporters of TensorFlow 2 give scores, boxes, count, classes. Fields of the tables are those of
tensorflow/lite/schema/schema.fbs; the encoding is https://flatbuffers.dev/internals/.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from edgeagent.engines.engine import DetectionRole

OPERATOR = b"TFLite_Detection_PostProcess"
ROLES: tuple[DetectionRole, ...] = ("boxes", "classes", "scores", "count")
_CLASS_PREDICTIONS = 1  # input of the operator: (1, anchors, classes + 1)


@dataclass(frozen=True, slots=True)
class DetectionOutputs:
    """Outputs of the detection operator of a graph.

    Attributes:
        roles: role by index of the tensor.
        classes: lowest number of classes that the operator predicts; None if the file does not say it.
    """

    roles: dict[int, DetectionRole]
    classes: int | None


NONE = DetectionOutputs({}, None)


def find_detection_outputs(content: bytes) -> DetectionOutputs:
    """Return the outputs of the detection operator; :data:`NONE` without one, or for an unreadable file.

    Args:
        content: of a TFLite file.
    """
    try:
        return _find(content)
    except (struct.error, IndexError):  # the interpreter says what is wrong with the file
        return NONE


def _find(content: bytes) -> DetectionOutputs:
    model = _Table(content, _offset(content, 0))
    codes = [code.text(1) for code in model.tables(1)]
    graph = next(model.tables(2))
    for operator in graph.tables(3):
        number = operator.number(0)
        outputs = operator.integers(2)
        if codes[number] != OPERATOR or len(outputs) != len(ROLES):
            continue
        inputs = operator.integers(1)
        classes = None
        if len(inputs) > _CLASS_PREDICTIONS:
            tensors = list(graph.tables(0))
            shape = tensors[inputs[_CLASS_PREDICTIONS]].integers(0)
            classes = shape[-1] - 1 if shape and shape[-1] > 1 else None  # one of them may be the background
        return DetectionOutputs(dict(zip(outputs, ROLES, strict=True)), classes)
    return NONE


class _Table:
    """A table of a FlatBuffer; fields are given by their number in the schema."""

    def __init__(self, content: bytes, start: int) -> None:
        self._content, self._start = content, start
        self._fields = start - struct.unpack_from("<i", content, start)[0]

    def number(self, field: int) -> int:
        """Return an unsigned 32-bit number; 0 if the field is absent."""
        place = self._place(field)
        return 0 if place is None else _offset_value(self._content, place)

    def integers(self, field: int) -> tuple[int, ...]:
        """Return a vector of signed 32-bit numbers."""
        start, length = self._vector(field)
        return struct.unpack_from(f"<{length}i", self._content, start)

    def text(self, field: int) -> bytes:
        """Return a string."""
        start, length = self._vector(field)
        return self._content[start : start + length]

    def tables(self, field: int) -> Iterator[_Table]:
        """Return a vector of tables."""
        start, length = self._vector(field)
        for place in range(start, start + 4 * length, 4):
            yield _Table(self._content, _offset(self._content, place))

    def _vector(self, field: int) -> tuple[int, int]:
        place = self._place(field)
        if place is None:
            return 0, 0
        start = _offset(self._content, place)
        length = _offset_value(self._content, start)
        if length > len(self._content):
            raise IndexError(f"a vector of {length} elements in {len(self._content)} bytes")
        return start + 4, length

    def _place(self, field: int) -> int | None:
        (size,) = struct.unpack_from("<H", self._content, self._fields)
        entry = 4 + 2 * field
        if entry >= size:
            return None
        (offset,) = struct.unpack_from("<H", self._content, self._fields + entry)
        return self._start + offset if offset else None


def _offset_value(content: bytes, place: int) -> int:
    value: int = struct.unpack_from("<I", content, place)[0]
    return value


def _offset(content: bytes, place: int) -> int:
    return place + _offset_value(content, place)
