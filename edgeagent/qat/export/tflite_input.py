"""TFLite artefacts with a uint8 input, which takes the pixels of a camera unchanged.

One QUANTIZE operator in front of the unchanged graph turns pixels into int8 codes on the same grid, which
flips the highest bit of each.
"""

from __future__ import annotations

import copy
from pathlib import Path

from edgeagent.errors import DataError
from edgeagent.qat.core.work_file import write_work_file
from edgeagent.qat.export.tflite_export import export_tflite
from edgeagent.qat.export.tflite_operator import insert_first, packed, read_tflite
from edgeagent.qat.network.network import Network

OFFSET = 128  # uint8 code minus int8 code


def export_tflite_uint8(network: Network, path: Path) -> None:
    """Write the network with a uint8 input, see :func:`~edgeagent.qat.export.tflite_export.export_tflite`.

    Raises:
        ConfigurationError, DataError, EdgeagentError: see ``export_tflite``.
    """
    export_tflite(network, path)
    write_work_file(path, with_uint8_input(path.read_bytes()))


def with_uint8_input(content: bytes) -> bytes:
    """Return a TFLite model with its int8 input changed to uint8.

    Raises:
        DataError: the input is not a single int8 tensor with a grid.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = read_tflite(content)
    graph = model.subgraphs[0]
    codes = graph.tensors[graph.inputs[0]]
    if len(graph.inputs) != 1 or codes.type != schema.TensorType.INT8 or codes.quantization is None:
        raise DataError(
            "the model's input is not one int8 tensor with a grid; export it with --format tflite"
        )
    pixels = copy.deepcopy(codes)
    pixels.type, pixels.name = schema.TensorType.UINT8, b"picture"
    pixels.quantization.zeroPoint = [int(zero) + OFFSET for zero in codes.quantization.zeroPoint]
    index, inner = len(graph.tensors), int(graph.inputs[0])
    graph.tensors.append(pixels)
    insert_first(model, "QUANTIZE", 1, (index, inner), schema.QuantizeOptionsT())
    graph.inputs = [index]
    for signature in model.signatureDefs or []:
        for tensor in signature.inputs:
            tensor.tensorIndex = index
    return packed(model, len(content))
