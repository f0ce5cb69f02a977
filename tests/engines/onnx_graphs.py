"""ONNX files of one or two operators, made in the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, UINT8, INT8 = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT8
DOUBLE, HALF, INT64, TEXT = TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.INT64, TensorProto.STRING
SHAPE = (2, 3, 4)
Value = onnx.ValueInfoProto


def value(name: str, dtype: int = FLOAT, shape: Sequence[int | str | None] = SHAPE) -> Value:
    """Return an input or output of a graph."""
    return helper.make_tensor_value_info(name, dtype, shape)


def write_graph(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    constants: Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write a graph, checked by nobody."""
    initializers = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(nodes, "test", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("nowhere", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    path.write_bytes(model.SerializeToString())
    return path


def one_operator(
    path: Path,
    operator: str = "Neg",
    dtype: int = FLOAT,
    shape: Sequence[int | str | None] = SHAPE,
    metadata: Mapping[str, str] | None = None,
    domain: str = "",
) -> Path:
    """x -> operator -> y."""
    nodes = [helper.make_node(operator, ["x"], ["y"], domain=domain)]
    return write_graph(path, nodes, [value("x", dtype, shape)], [value("y", dtype, shape)], metadata=metadata)


def sum_and_product(path: Path, shape: Sequence[int] = SHAPE) -> Path:
    """Two inputs, two outputs: a + b and a * b."""
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Mul", ["a", "b"], ["product"])]
    names = [value(name, shape=shape) for name in ("a", "b", "sum", "product")]
    return write_graph(path, nodes, names[:2], names[2:])


def fails_when_run(path: Path) -> Path:
    """Gathers at an index that is out of bounds as soon as x is above 0."""
    nodes = [
        helper.make_node("Cast", ["x"], ["index"], to=INT64),
        helper.make_node("Gather", ["x", "index"], ["gathered"]),
        helper.make_node("ReduceSum", ["gathered"], ["y"], keepdims=0),
    ]
    return write_graph(path, nodes, [value("x", shape=(1,))], [value("y", shape=())])


def counts(path: Path) -> Path:
    """Counts from 0 to x in steps of 1, x (1,) float32; a great number takes for ever."""
    step = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Add", ["before", "one"], ["after"]),
        ],
        "step",
        [value("i", INT64, ()), value("go", TensorProto.BOOL, ()), value("before", shape=(1,))],
        [value("go_on", TensorProto.BOOL, ()), value("after", shape=(1,))],
    )
    nodes = [
        helper.make_node("Cast", ["x"], ["steps"], to=INT64),
        helper.make_node("Squeeze", ["steps"], ["trips"]),
        helper.make_node("Loop", ["trips", "", "zero"], ["y"], body=step),
    ]
    constants = {"zero": np.zeros(1, np.float32), "one": np.ones(1, np.float32)}
    return write_graph(path, nodes, [value("x", shape=(1,))], [value("y", shape=(1,))], constants)
