"""TFLite files of one operator, packed as flatbuffers with the schema that ai-edge-litert ships."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

flatbuffers: Any = importlib.import_module("flatbuffers")
schema: Any = importlib.import_module("ai_edge_litert.schema_py_generated")

SHAPE = (1, 2, 3)
CUSTOM = "NoSuchOperator"
EDGETPU = "edgetpu-custom-op"
"""Name of the operator that the Edge TPU compiler puts in place of all that the chip runs."""


def write_model(
    path: Path,
    operator: str = "ADD",
    dtype: str = "FLOAT32",
    shape: Sequence[int] = SHAPE,
    grid: tuple[float, int] | None = None,
) -> Path:
    """a (, b) -> operator -> y.

    Args:
        path: of the file.
        operator: ``ADD`` of two inputs, ``CUSTOM`` or :data:`EDGETPU`, or a name of a built-in operator of
            one input.
        dtype: of all tensors.
        shape: of all tensors.
        grid: (scale, zero point) of all tensors.
    """
    names = ["a", "b", "y"] if operator == "ADD" else ["a", "y"]
    graph = schema.SubGraphT()
    graph.tensors = [_tensor(name, getattr(schema.TensorType, dtype), shape, grid) for name in names]
    graph.inputs, graph.outputs = list(range(len(names) - 1)), [len(names) - 1]
    graph.operators = [_operator(operator, graph)]
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT()]
    model.operatorCodes = [_code(operator)]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def _tensor(name: str, dtype: int, shape: Sequence[int], grid: tuple[float, int] | None) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.shape, tensor.buffer = name, dtype, list(shape), 0
    if grid is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [grid[0]], [grid[1]]
    return tensor


def _operator(name: str, graph: Any) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, graph.inputs, graph.outputs
    if name == "ADD":
        operator.builtinOptionsType = schema.BuiltinOptions.AddOptions
        operator.builtinOptions = schema.AddOptionsT()
    return operator


def _code(name: str) -> Any:
    code = schema.OperatorCodeT()
    code.version = 1
    custom = {"CUSTOM": CUSTOM, EDGETPU: EDGETPU}.get(name)
    code.builtinCode = getattr(schema.BuiltinOperator, "CUSTOM" if custom else name)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    if custom:
        code.customCode = custom
    return code
