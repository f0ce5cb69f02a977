"""Channel paths: the input channels of later convolutions that read each output channel of a convolution.

A channel may be scaled at its producer and scaled back at its readers when all operators between them are
positively homogeneous and keep channels separate: f(s x) = s f(x) for s > 0. A product is homogeneous in each
of its operands, such as a feature and its gate. Operators that only move values
(concat, split, channel shuffles by reshape and transpose) are traced by moving channel numbers through them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import onnx
from onnx.reference import ReferenceEvaluator

from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.node import Node

Numbers = npt.NDArray[np.int32]

HOMOGENEOUS = frozenset(
    {"Relu", "LeakyRelu", "PRelu", "Identity", "MaxPool", "AveragePool", "GlobalAveragePool", "Resize"}
)
MOVES = frozenset({"Concat", "Split", "Slice", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Gather"})
NO_CHANNEL = -1


@dataclass(frozen=True)
class ChannelReader:
    """Convolution that reads channels of another convolution.

    Attributes:
        node: reading node.
        channels: (inputs,) the producer's channel read by each input channel, or :data:`NO_CHANNEL`.
    """

    node: Node
    channels: Numbers


def find_readers(
    graph: Graph, producer: Node, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[ChannelReader, ...] | None:
    """Return all readers of a convolution's channels; None if a path to them is not homogeneous."""
    output = producer.outputs[0]
    if len(shapes.get(output, ())) != 4:
        return None
    channels = np.arange(shapes[output][1], dtype=np.int32)
    numbers = {output: np.broadcast_to(channels[None, :, None, None], shapes[output]).copy()}
    heads = {head.tensor for head in graph.heads}
    found = []
    for node in graph.nodes:
        touched = [name for name in node.inputs if name in numbers]
        if not touched:
            continue
        if node.operator == "Conv" and touched == [node.inputs[0]]:
            read = numbers[node.inputs[0]]
            if (read != read[:, :, :1, :1]).any():
                return None
            found.append(ChannelReader(node, read[0, :, 0, 0]))
        elif node.operator in HOMOGENEOUS and touched == [node.inputs[0]]:
            _pass(node, numbers, shapes, node.inputs[0])
        elif node.operator == "Mul" and len(touched) == 1:
            _pass(node, numbers, shapes, touched[0])
        elif node.operator in MOVES:
            _move(graph, node, numbers, shapes)
        else:
            return None
        if not all(name in numbers for name in node.outputs) and node.operator != "Conv":
            return None
    if heads & set(numbers) or not found:
        return None
    return tuple(found)


def _pass(
    node: Node, numbers: dict[str, Numbers], shapes: Mapping[str, tuple[int, ...]], tensor: str
) -> None:
    """Pass the channel numbers of a tensor through an operator that works on each channel separately."""
    given, wanted = numbers[tensor], shapes.get(node.outputs[0], ())
    if given.ndim == len(wanted) == 4 and (given == given[:, :, :1, :1]).all():
        numbers[node.outputs[0]] = np.broadcast_to(given[:, :, :1, :1], wanted).copy()


def _move(
    graph: Graph, node: Node, numbers: dict[str, Numbers], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    feeds = {}
    for name in filter(None, node.inputs):
        if name in graph.constants:
            feeds[name] = graph.constants[name]
        elif name in numbers or name in shapes:
            feeds[name] = numbers.get(name, np.full(shapes.get(name, ()), NO_CHANNEL, np.int32))
        else:
            return
    proto = onnx.helper.make_node(node.operator, node.inputs, node.outputs, **node.attributes)
    results = cast(list[Numbers], ReferenceEvaluator(proto).run(None, feeds))
    numbers.update(zip(node.outputs, results, strict=True))
