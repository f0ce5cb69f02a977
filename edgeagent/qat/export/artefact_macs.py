"""Multiply-accumulates of an artefact, and how many of them run on integers."""

from __future__ import annotations

from math import prod
from pathlib import Path

import onnx

from edgeagent.qat.core.operator_kinds import WEIGHTED
from edgeagent.qat.graph.macs import operator_macs


def artefact_macs(path: Path) -> tuple[int, int]:
    """Return the MACs of an ONNX or TFLite artefact on (integers, floats), for one picture.

    An ONNX operator counts as integer when its operands come from DequantizeLinear and its output goes into
    QuantizeLinear, directly or after an activation: engines fuse these.
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
        macs = operator_macs(node.op_type, tuple(node.input), node.output[0], shapes, attributes)
        on_codes = all(made_by.get(name) == "DequantizeLinear" for name in node.input if name)
        readers = read_by.get(node.output[0], [])
        if len(readers) == 1 and readers[0].op_type in ("Relu", "Clip"):
            readers = read_by.get(readers[0].output[0], [])
        if on_codes and all(reader.op_type == "QuantizeLinear" for reader in readers) and readers:
            integer += macs
        else:
            real += macs
    return integer, real


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
