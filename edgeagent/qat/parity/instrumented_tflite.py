"""Instrumented models of a TFLite artefact, see :mod:`edgeagent.qat.parity.instrumented_model`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeagent.qat.network.network import Network
from edgeagent.qat.parity.instrumented_model import InstrumentedModel, Kind, Port, QuantizedTensor
from edgeagent.qat.parity.match_tflite import TfliteMatch


def instrument_tflite(
    artefact: Path, target: Path, kind: Kind, network: Network, tensors: Mapping[str, QuantizedTensor]
) -> InstrumentedModel:
    """Write an instrumented copy of an artefact.

    Args:
        artefact: full-integer TFLite file.
        target: file to write.
        kind: kind of instrumented model.
        network: trained network.
        tensors: its quantized tensors, from the input to the heads.
    """
    import flatbuffers  # comes with ai-edge-litert
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(artefact.read_bytes(), 0)
    (body,) = model.subgraphs
    model.signatureDefs = None  # the signature has the outputs of the artefact
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    types = {schema.TensorType.INT8: 128, schema.TensorType.UINT8: 0}
    found = TfliteMatch(model, names, types, network, tensors).run()
    computed = [int(index) for operator in body.operators for index in operator.outputs]
    shown = [index for index in computed if index in found]
    given = {int(index): "" for index in body.inputs}
    fed = {}
    if kind == "cut":
        fed = _cut(body, found)
        body.inputs = [*body.inputs, *fed.values()]
    for index in (*shown, *fed.values(), *given):
        body.tensors[index].name = f"tensor{index}".encode()
    body.outputs = shown
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    target.write_bytes(bytes(builder.Output()))

    def port(index: int, at: int) -> Port:
        tensor = found[index]
        return Port(tensor, f"tensor{at}", len(tensors[tensor].shape) == 4, types[body.tensors[index].type])

    return InstrumentedModel(
        target,
        "tflite",
        tuple(port(index, at) for index, at in fed.items()),
        tuple(port(index, index) for index in shown),
    )


def _cut(body: Any, found: Mapping[int, str]) -> dict[int, int]:
    """Connect operators to copies of the matched tensors, and return the copy of each."""
    copies: dict[int, int] = {}
    for operator in body.operators:
        read = [int(index) for index in operator.inputs]
        for index in read:
            if index in found and index not in body.inputs and index not in copies:
                copies[index] = len(body.tensors)
                body.tensors.append(copy.copy(body.tensors[index]))
        operator.inputs = [copies.get(index, index) for index in read]
    return copies
