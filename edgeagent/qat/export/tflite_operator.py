"""Change of a TFLite file: its content as objects, and an operator in front of all others."""

from __future__ import annotations

from typing import Any

SPARE = 1024  # bytes by which a changed file may grow before the builder enlarges its buffer


def read_tflite(content: bytes) -> Any:
    """Return the ``ModelT`` of a TFLite file, whose fields may be changed."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(content, 0)


def packed(model: Any, size: int) -> bytes:
    """Return the content of the file of a ``ModelT``; ``size`` is that of the file that it was read from."""
    import flatbuffers

    builder = flatbuffers.Builder(size + SPARE)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def insert_first(model: Any, kind: str, version: int, tensors: tuple[int, int], options: Any) -> None:
    """Insert an operator of one input and one output in front of all others.

    Args:
        model: ``ModelT`` with one graph, changed in place.
        kind: name of the operator, such as ``QUANTIZE``.
        version: version of the operator.
        tensors: positions of the tensors that it reads and writes.
        options: its options, such as a ``QuantizeOptionsT``.
    """
    from ai_edge_litert import schema_py_generated as schema

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
    code.version = version
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    read, written = tensors
    operator.inputs, operator.outputs = [read], [written]
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
    operator.builtinOptions = options
    model.subgraphs[0].operators.insert(0, operator)
