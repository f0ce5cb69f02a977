"""The float ONNX graph that is trained: read, made uniform, and cut at its head convolutions.

The graph is the model (docs/adr/0002): nodes keep their names from the source file to the artefact. This
module reads a file, raises its opset to one that has per-channel DequantizeLinear, turns constants
into arrays, folds what depends on constants alone, and finds where the integer part ends: at the
*terminal convolutions*, those from which no other convolution is reachable, one for each kind of
prediction. What follows them (decoding, sigmoid of scores) stays outside.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from edgeagent.errors import DataError
from edgeagent.qat.node import Constant, Node
from edgeagent.qat.split_heads import split_heads

MINIMUM_OPSET = 13  # DequantizeLinear has had an axis since opset 13


@dataclass(frozen=True)
class Head:
    """One output of the integer part.

    Attributes:
        tensor: name of the terminal convolution's output.
        shape: (1, channels, height, width).
        logits: whether the source graph applies a sigmoid to it.
    """

    tensor: str
    shape: tuple[int, int, int, int]
    logits: bool


@dataclass(frozen=True)
class Graph:
    """The part of the source graph that is trained and deployed.

    Attributes:
        nodes: in topological order, from the input to the heads.
        constants: arrays by tensor name.
        input: name of the picture tensor.
        input_shape: (1, 3, height, width).
        heads: outputs of the terminal convolutions, in the order of the source graph.
        opset: of the default operator domain.
    """

    nodes: tuple[Node, ...]
    constants: dict[str, Constant]
    input: str
    input_shape: tuple[int, int, int, int]
    heads: tuple[Head, ...]
    opset: int

    def consumers(self) -> dict[str, list[Node]]:
        """Return the nodes that read each tensor."""
        readers: dict[str, list[Node]] = defaultdict(list)
        for node in self.nodes:
            for name in node.inputs:
                readers[name].append(node)
        return readers


def read_graph(path: Path) -> Graph:
    """Read a float detector and cut it at its terminal convolutions.

    Raises:
        DataError: not an ONNX file, several inputs, a dynamic input shape or no convolution.
    """
    model = _read_model(path)
    graph = model.graph
    constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    inputs = [item for item in graph.input if item.name not in constants]
    if len(inputs) != 1:
        raise DataError(f"{path}: expected one input (the picture), found {[i.name for i in inputs]}")
    shape = tuple(dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim)
    if len(shape) != 4 or shape[0] != 1 or shape[1] != 3 or min(shape) < 1:
        raise DataError(
            f"{path}: expected a static input shape (1, 3, height, width), found {shape}; export it so"
        )
    nodes = [_node(index, item) for index, item in enumerate(graph.node)]
    nodes = _fold_constants(nodes, constants)
    ends = {node.outputs[0] for node in _terminal_convolutions(nodes)}
    nodes = split_heads(nodes, ends, constants)
    heads = _terminal_convolutions(nodes)
    if not heads:
        raise DataError(f"{path}: no convolution found; is this a detector?")
    needed = _needed(nodes, {node.outputs[0] for node in heads})
    shapes = _shapes(model)
    consumers: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        for name in node.inputs:
            consumers[name].append(node.operator)
    used = {name for node in needed for name in node.inputs}
    return Graph(
        nodes=tuple(needed),
        constants={name: array for name, array in constants.items() if name in used},
        input=inputs[0].name,
        input_shape=(shape[0], shape[1], shape[2], shape[3]),
        heads=tuple(
            Head(tensor, _shape4(path, shapes, tensor), "Sigmoid" in consumers[tensor])
            for tensor in (node.outputs[0] for node in heads)
        ),
        opset=next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx")),
    )


def _read_model(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
        opset = next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
        if opset < MINIMUM_OPSET:
            model = onnx.version_converter.convert_version(model, MINIMUM_OPSET)
        return onnx.shape_inference.infer_shapes(model)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except Exception as error:  # onnx and protobuf raise many types on a damaged file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: not a readable ONNX model ({reason}); export it again") from error


def _node(index: int, item: onnx.NodeProto) -> Node:
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in item.attribute}
    name = item.name or f"{item.op_type}_{index}"
    return Node(name, item.op_type, tuple(item.input), tuple(item.output), attributes)


def _fold_constants(nodes: list[Node], constants: dict[str, Constant]) -> list[Node]:
    """Evaluate nodes whose inputs are all constants, adding their results to ``constants``."""
    rest = []
    for node in nodes:
        if node.operator == "Constant":
            constants[node.outputs[0]] = _constant_value(node)
        elif node.inputs and all(name in constants for name in node.inputs if name):
            proto = onnx.helper.make_node(node.operator, node.inputs, node.outputs, **node.attributes)
            feeds = {name: constants[name] for name in node.inputs if name}
            results = ReferenceEvaluator(proto).run(None, feeds)
            constants.update(zip(node.outputs, map(np.asarray, results), strict=True))
        else:
            rest.append(node)
    return rest


def _constant_value(node: Node) -> Constant:
    ((kind, value),) = node.attributes.items()
    return numpy_helper.to_array(value) if kind == "value" else np.asarray(value)


def _terminal_convolutions(nodes: list[Node]) -> list[Node]:
    """Convolutions from which no other convolution is reachable."""
    leads_to_convolution: set[str] = set()
    terminal = []
    for node in reversed(nodes):
        below = any(name in leads_to_convolution for name in node.outputs)
        if node.operator == "Conv" and not below:
            terminal.append(node)
        if below or node.operator == "Conv":
            leads_to_convolution.update(node.inputs)
    return terminal[::-1]


def _needed(nodes: list[Node], tensors: set[str]) -> list[Node]:
    """Nodes that the given tensors depend on, in order."""
    wanted = set(tensors)
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.outputs):
            wanted.update(node.inputs)
            kept.append(node)
    return kept[::-1]


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    infos = [*model.graph.value_info, *model.graph.output]
    return {item.name: tuple(d.dim_value for d in item.type.tensor_type.shape.dim) for item in infos}


def _shape4(path: Path, shapes: dict[str, tuple[int, ...]], tensor: str) -> tuple[int, int, int, int]:
    shape = shapes.get(tensor, ())
    if len(shape) != 4 or min(shape) < 1:
        raise DataError(f"{path}: the shape of head {tensor} is not static ({shape}); export a static graph")
    return shape
