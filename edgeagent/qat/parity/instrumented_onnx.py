"""Instrumented models of a QDQ ONNX artefact, see :mod:`edgeagent.qat.parity.instrumented_model`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from edgeagent.qat.parity.instrumented_model import InstrumentedModel, Kind, Port, QuantizedTensor

SUFFIXES = ("_u8", "_q")
"""Suffixes that exporters append to a tensor's name for its codes."""

_OFFSETS: dict[int, int] = {TensorProto.UINT8: 0, TensorProto.INT8: 128}
_FED = ".fed"


def instrument_onnx(
    artefact: Path, target: Path, kind: Kind, tensors: Mapping[str, QuantizedTensor]
) -> InstrumentedModel:
    """Write an instrumented copy of an artefact.

    Args:
        artefact: QDQ ONNX file.
        target: file to write.
        kind: kind of instrumented model.
        tensors: quantized tensors of the trained graph, by name.
    """
    model = onnx.load(str(artefact))
    graph = model.graph
    codes = _codes(graph, tensors)
    ports = {
        name: Port(tensor, name, channels_last=False, offset=_OFFSETS[kind_of])
        for name, (tensor, kind_of) in codes.items()
    }
    computed = {name for node in graph.node for name in node.output}
    shown = [name for name in codes if name in computed]
    fed: list[str] = []
    if kind == "cut":
        fed = _cut(graph, codes)
        graph.input.extend(_value(f"{name}{_FED}", codes[name], tensors) for name in fed)
        del graph.output[:]
    graph.output.extend(_value(name, codes[name], tensors) for name in shown)
    onnx.save(model, str(target))
    return InstrumentedModel(
        target,
        "onnx",
        tuple(Port(ports[name].tensor, f"{name}{_FED}", False, ports[name].offset) for name in fed),
        tuple(ports[name] for name in shown),
    )


def _codes(graph: onnx.GraphProto, tensors: Collection[str]) -> dict[str, tuple[str, int]]:
    """Return (tensor of the trained graph, type of its codes) by the name of the codes in the file."""
    types = {item.name: item.data_type for item in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        name = node.output[0] if node.op_type == "QuantizeLinear" else node.input[0]
        tensor = next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)
        if tensor in tensors:
            found[name] = (tensor, types[node.input[2]])
    return found


def _cut(graph: onnx.GraphProto, codes: Collection[str]) -> list[str]:
    """Connect readers of codes to inputs, remove unused nodes, and return the names of the fed codes."""
    fed = []
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name in codes:
                node.input[position] = f"{name}{_FED}"
                fed.append(name)
    needed = set(codes)
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
    kept = [node for node in graph.node if needed.intersection(node.output)]
    del graph.node[:]
    graph.node.extend(kept)
    return list(dict.fromkeys(name for name in fed if f"{name}{_FED}" in needed))


def _value(name: str, code: tuple[str, int], tensors: Mapping[str, QuantizedTensor]) -> onnx.ValueInfoProto:
    tensor, kind = code
    return helper.make_tensor_value_info(name, kind, tensors[tensor].shape)
