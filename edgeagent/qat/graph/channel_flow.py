"""Data flow of a head's channels after the cut, through operators that only move values.

A tensor of raw predictions is reshaped, transposed and concatenated with others before its scores pass a
sigmoid and its boxes are decoded. The channels that reach a Sigmoid are logits; where only some of them do,
the head predicts boxes and scores together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from edgeagent.qat.graph.draft import Draft
from edgeagent.qat.graph.node import Node, Shape


@dataclass(frozen=True)
class ChannelUse:
    """Operator that computes with some of a head's channels.

    Attributes:
        first: first channel of the head.
        last: end of the range, exclusive.
        operator: ONNX operator.
    """

    first: int
    last: int
    operator: str


@dataclass(frozen=True)
class _Place:
    """Position of channels ``first`` to ``last`` of the head: from index ``start`` of an axis of a tensor."""

    tensor: str
    axis: int
    start: int
    first: int
    last: int


class ChannelFlow:
    """Data flow of channels through a draft."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._readers = draft.readers()

    def uses(self, tensor: str, axis: int = 1) -> list[ChannelUse]:
        """Return the operators that read the channels of a tensor, in channel order.

        Args:
            tensor: (1, channels, h, w), or another shape.
            axis: axis of the channels.
        """
        channels = self._draft.shape(tensor)[axis]
        found: list[ChannelUse] = []
        places = [_Place(tensor, axis, 0, 0, channels)]
        while places:
            place = places.pop()
            for node in self._readers[place.tensor]:
                moved = list(self._moved(node, place))
                places += moved
                if not moved and not self._drops(node):
                    found.append(ChannelUse(place.first, place.last, node.operator))
        return sorted(set(found), key=lambda use: (use.first, use.last, use.operator))

    def logits(self, tensor: str) -> list[bool]:
        """Return for each channel of a tensor whether it passes a sigmoid next (a logit)."""
        result = [False] * self._draft.shape(tensor)[1]
        for use in self.uses(tensor):
            if use.operator == "Sigmoid":
                result[use.first : use.last] = [True] * (use.last - use.first)
        return result

    def position(self, tensor: str) -> int | None:
        """Return the position of a tensor's first channel where the graph joins it with others.

        Scores are followed through their sigmoid. None when the channels are never joined with others.
        """
        places = [_Place(tensor, 1, 0, 0, self._draft.shape(tensor)[1])]
        while places:
            place = places.pop()
            for node in self._readers[place.tensor]:
                if node.operator == "Sigmoid":
                    places.append(replace(place, tensor=node.outputs[0]))
                    continue
                for moved in self._moved(node, place):
                    if node.operator == "Concat" and node.attributes["axis"] == place.axis:
                        return moved.start
                    places.append(moved)
        return None

    def _drops(self, node: Node) -> bool:
        """Return whether a node that passes on none of some channels only discards them."""
        return node.operator in ("Split", "Slice") and node.name not in self._draft.problems

    def _moved(self, node: Node, place: _Place) -> Iterator[_Place]:
        shape = self._draft.shape(place.tensor)
        out = self._draft.shape(node.outputs[0])
        attributes = node.attributes
        if node.name in self._draft.problems:
            return
        if node.operator == "Reshape":
            axis = _same_axis(shape, place.axis, out)
            if axis is not None:
                yield _Place(node.outputs[0], axis, place.start, place.first, place.last)
        elif node.operator == "Transpose":
            axis = list(attributes["perm"]).index(place.axis)
            yield _Place(node.outputs[0], axis, place.start, place.first, place.last)
        elif node.operator == "Concat":
            before = 0
            for name in node.inputs:
                if name == place.tensor:
                    break
                before += self._draft.shape(name)[attributes["axis"]]
            shift = before if attributes["axis"] == place.axis else 0
            yield _Place(node.outputs[0], place.axis, place.start + shift, place.first, place.last)
        elif node.operator == "Split":
            yield from self._split(node, place)
        elif node.operator == "Slice":
            yield from self._sliced(node, place)

    def _split(self, node: Node, place: _Place) -> Iterator[_Place]:
        start = 0
        for output, size in zip(node.outputs, self._draft.constants[node.inputs[1]], strict=True):
            end = start + int(size)
            yield from _part(place, output, start, end, node.attributes["axis"] == place.axis)
            start = end

    def _sliced(self, node: Node, place: _Place) -> Iterator[_Place]:
        starts, ends, axes, steps = (self._draft.constants[name] for name in node.inputs[1:])
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
            if axis == place.axis:
                if step == 1:
                    yield from _part(place, node.outputs[0], int(start), int(end), True)
                return
        yield _Place(node.outputs[0], place.axis, place.start, place.first, place.last)


def _part(place: _Place, output: str, start: int, end: int, cuts: bool) -> Iterator[_Place]:
    """Yield the part of a position that lies in indices ``start`` to ``end`` of the axis, in the output."""
    if not cuts:
        yield _Place(output, place.axis, place.start, place.first, place.last)
        return
    low = max(start, place.start)
    high = min(end, place.start + place.last - place.first)
    if low < high:
        first = place.first + low - place.start
        yield _Place(output, place.axis, low - start, first, first + high - low)


def _same_axis(shape: Shape, axis: int, out: Shape) -> int | None:
    """Return where an axis is after a reshape; None when it was split or merged."""
    before = math.prod(shape[:axis])
    for position, size in enumerate(out):
        if size == shape[axis] and math.prod(out[:position]) == before:
            return position
    return None
