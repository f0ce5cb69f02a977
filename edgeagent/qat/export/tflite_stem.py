"""First convolutions of a TFLite artefact on a picture of half the size and four times the channels.

A convolution of the picture with kernel 2k x 2k and stride 2 equals SPACE_TO_DEPTH and a convolution with
kernel k x k and stride 1, whose weights are the same codes in another order: every output is the same sum of
integers. Kernels run more channels faster than 3. It is the form that :mod:`edgeagent.qat.graph.focus` folds,
but with one operator, which an Edge TPU maps, in place of strided slices. Several convolutions read the
picture where their channels are in groups (:mod:`edgeagent.qat.graph.channel_groups`); they share it folded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeagent.qat.export.tflite_operator import insert_first, packed, read_tflite

BLOCK = 2
_VERSION = 2  # of SPACE_TO_DEPTH on int8


@dataclass(frozen=True)
class _Stem:
    """First convolution, where it can be rewritten: the operator, and its input and weight tensors."""

    operator: Any
    picture: Any
    weight: Any
    buffer: Any


def with_space_to_depth(content: bytes) -> bytes:
    """Return a TFLite model whose first convolutions, if all can, read a SPACE_TO_DEPTH of the picture."""
    from ai_edge_litert import schema_py_generated as schema

    model = read_tflite(content)
    stems = _find(model, schema)
    if not stems:
        return content
    graph = model.subgraphs[0]
    picture = stems[0].picture
    _, height, width, channels = map(int, picture.shape)
    folded = schema.TensorT()
    folded.type, folded.quantization = picture.type, picture.quantization
    folded.shape = [1, height // BLOCK, width // BLOCK, channels * BLOCK * BLOCK]
    folded.name = b"picture_folded"
    model.buffers.append(schema.BufferT())
    folded.buffer = len(model.buffers) - 1
    graph.tensors.append(folded)
    index = len(graph.tensors) - 1
    options = schema.SpaceToDepthOptionsT()
    options.blockSize = BLOCK
    insert_first(model, "SPACE_TO_DEPTH", _VERSION, (int(graph.inputs[0]), index), options)
    for stem in stems:
        weight = halved(np.frombuffer(bytes(stem.buffer.data), np.int8).reshape(stem.weight.shape))
        stem.weight.shape = np.array(weight.shape, np.int32)
        stem.buffer.data = np.frombuffer(weight.tobytes(), np.uint8)
        stem.operator.builtinOptions.strideH = stem.operator.builtinOptions.strideW = 1
        stem.operator.inputs = [index, *map(int, stem.operator.inputs[1:])]
    return packed(model, len(content))


def halved(weight: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Return the weight (out, k, k, 4 x channels) of the folded picture from that (out, 2k, 2k, channels)."""
    outputs, height, width, channels = weight.shape
    parts = weight.reshape(outputs, height // BLOCK, BLOCK, width // BLOCK, BLOCK, channels)
    return np.ascontiguousarray(parts.transpose(0, 1, 3, 2, 4, 5)).reshape(
        outputs, height // BLOCK, width // BLOCK, channels * BLOCK * BLOCK
    )


def _find(model: Any, schema: Any) -> list[_Stem]:
    """Return all readers of the picture; none where one of them cannot be rewritten."""
    if len(model.subgraphs) != 1 or len(model.subgraphs[0].inputs) != 1:
        return []
    first = int(model.subgraphs[0].inputs[0])
    readers = [operator for operator in model.subgraphs[0].operators if first in operator.inputs]
    found = [_stem(model, operator, schema) for operator in readers]
    return [stem for stem in found if stem is not None] if None not in found else []


def _stem(model: Any, operator: Any, schema: Any) -> _Stem | None:
    graph = model.subgraphs[0]
    if model.operatorCodes[operator.opcodeIndex].builtinCode != schema.BuiltinOperator.CONV_2D:
        return None
    picture, weight = (graph.tensors[int(operator.inputs[at])] for at in (0, 1))
    uses = sum(int(operator.inputs[1]) in other.inputs for other in graph.operators)
    stored = sum(tensor.buffer == weight.buffer for tensor in graph.tensors)
    options = operator.builtinOptions
    plain = options.dilationHFactor == options.dilationWFactor == 1
    if not plain or options.strideH != BLOCK or options.strideW != BLOCK or uses != 1 or stored != 1:
        return None
    if picture.type != schema.TensorType.INT8 or weight.type != schema.TensorType.INT8:
        return None
    sizes, kernel = [int(size) for size in picture.shape], [int(size) for size in weight.shape]
    if any(size % BLOCK for size in (*sizes[1:3], *kernel[1:3])) or kernel[3] != sizes[3]:
        return None
    # the border is the same where the padding on each side is a multiple of the block
    odd = all(size // BLOCK % 2 for size in kernel[1:3])
    if options.padding == schema.Padding.SAME and not odd:
        return None
    return _Stem(operator, picture, weight, model.buffers[weight.buffer])
