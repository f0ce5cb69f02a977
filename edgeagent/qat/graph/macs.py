"""Multiplications of a graph and of its artefacts, and which share of them runs on integers.

A multiply-accumulate (MAC) is counted for every weight that an output value of a convolution or matrix
product takes in, as usual; element-wise operators count nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import prod
from pathlib import Path

import onnx

from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.ptq.channel_paths import tensor_shapes

CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
PRODUCTS = frozenset({"Gemm", "MatMul"})
WEIGHTED = CONVOLUTIONS | PRODUCTS

Shapes = Mapping[str, tuple[int, ...]]


def count_macs(graph: Graph) -> dict[str, int]:
    """Return the MACs of every weighted operator for one picture, by the name of its node."""
    shapes = {**tensor_shapes(graph), **{name: array.shape for name, array in graph.constants.items()}}
    return {
        node.name: _macs(node.operator, node.inputs, node.outputs[0], shapes, node.attributes)
        for node in graph.nodes
        if node.operator in WEIGHTED
    }


def integer_share(graph: Graph, float_nodes: Collection[str]) -> float:
    """Return the share of a graph's MACs that is left to integers when some nodes compute in float."""
    macs = count_macs(graph)
    total = sum(macs.values())
    return 1.0 if not total else 1 - sum(macs.get(name, 0) for name in float_nodes) / total


def artefact_macs(path: Path) -> tuple[int, int]:
    """Return the MACs of an ONNX or TFLite artefact that are on (integers, floats).

    An ONNX operator counts as integer when its operands come out of DequantizeLinear and its output goes into
    QuantizeLinear, at once or behind an activation, which is what engines fuse.
    """
    return _tflite_macs(path.read_bytes()) if path.suffix == ".tflite" else _onnx_macs(path)


def _onnx_macs(path: Path) -> tuple[int, int]:
    model = onnx.shape_inference.infer_shapes(onnx.load(str(path)))
    graph = model.graph
    infos = [*graph.input, *graph.value_info, *graph.output]
    shapes = {i.name: tuple(d.dim_value for d in i.type.tensor_type.shape.dim) for i in infos}
    shapes |= {item.name: tuple(item.dims) for item in graph.initializer}
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    read_by: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            read_by.setdefault(name, []).append(node)
    integer = real = 0
    for node in graph.node:
        if node.op_type not in WEIGHTED:
            continue
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        macs = _macs(node.op_type, tuple(node.input), node.output[0], shapes, attributes)
        on_codes = all(made_by.get(name) == "DequantizeLinear" for name in node.input if name)
        readers = read_by.get(node.output[0], [])
        if len(readers) == 1 and readers[0].op_type in ("Relu", "Clip"):
            readers = read_by.get(readers[0].output[0], [])
        if on_codes and all(reader.op_type == "QuantizeLinear" for reader in readers) and readers:
            integer += macs
        else:
            real += macs
    return integer, real


def _macs(
    operator: str, inputs: tuple[str, ...], output: str, shapes: Shapes, attributes: Mapping[str, object]
) -> int:
    weight, result = shapes[inputs[1]], shapes[output]
    if operator == "Conv":
        return prod(result) * prod(weight[1:])
    if operator == "ConvTranspose":
        return prod(shapes[inputs[0]]) * prod(weight[1:])
    inner = weight[-1] if operator == "Gemm" and attributes.get("transB") else weight[-2]
    return prod(result) * inner


def _tflite_macs(content: bytes) -> tuple[int, int]:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    kinds = schema.BuiltinOperator
    inner = {
        kinds.CONV_2D: lambda weight: prod(weight[1:]),
        kinds.DEPTHWISE_CONV_2D: lambda weight: prod(weight[1:3]),
        kinds.FULLY_CONNECTED: lambda weight: weight[-1],
    }
    integer = real = 0
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex].builtinCode
            if code not in inner:
                continue
            output = graph.tensors[operator.outputs[0]]
            macs = prod(output.shape) * inner[code](graph.tensors[operator.inputs[1]].shape)
            if output.type in (schema.TensorType.INT8, schema.TensorType.UINT8):
                integer += macs
            else:
                real += macs
    return int(integer), int(real)
