"""Matching of the tensors of a TFLite file to those of the trained graph, as conversion changes their names.

::

    picture -> each operator, in the order of the file:
        convolutions are matched by their weight codes, other operators by the tensors that they read
        -> a tensor is matched if exactly one tensor of the trained graph fits, by shape and grid too

The tensors that an operator reads are the nearest computed ones before it. Moves of codes (slice, split,
reshape, transpose), which converters write in different ways, are skipped and not matched: an error in them
shows in the tensors after them. A tensor that fits several or none is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from edgeagent.qat.graph.node import Node
from edgeagent.qat.network.fake_quantize import weight_scale
from edgeagent.qat.network.network import Network
from edgeagent.qat.parity.instrumented_model import QuantizedTensor

_OPERATORS = {
    "Add": "ADD",
    "AveragePool": "AVERAGE_POOL_2D",
    "Concat": "CONCATENATION",
    "MaxPool": "MAX_POOL_2D",
    "Mul": "MUL",
    "Sigmoid": "LOGISTIC",
    "Sub": "SUB",
}
"""TFLite names of operators that are converted one to one."""

_MOVES = frozenset({"Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"})
_TFLITE_MOVES = frozenset(
    {
        "EXPAND_DIMS",
        "GATHER",
        "RESHAPE",
        "SLICE",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SPLIT_V",
        "SQUEEZE",
        "STRIDED_SLICE",
        "TRANSPOSE",
    }
)
_WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"})
_PRECISION = 1e-6  # relative, of scales that the converter stores as float32

Weights = bytes
"""Histogram of the codes of a weight, which does not depend on the order of its dimensions."""


class TfliteMatch:
    """Matching of a file to a trained graph.

    Args:
        model: ``ModelT`` of the file.
        names: names of TFLite operators by code.
        types: offset between codes 0..255 and the codes of each tensor type.
        network: trained network.
        tensors: its quantized tensors.
    """

    def __init__(
        self,
        model: Any,
        names: Mapping[int, str],
        types: Mapping[int, int],
        network: Network,
        tensors: Mapping[str, QuantizedTensor],
    ) -> None:
        self._model, self._names, self._types = model, names, types
        (self._body,) = model.subgraphs
        self._written = {int(out): op for op in self._body.operators for out in op.outputs}
        self._trained = _Trained(network, tensors)
        self._found: dict[int, str] = {}

    def run(self) -> dict[int, str]:
        """Return the name of the matched tensor by position in the file's list of tensors."""
        (picture,) = (int(index) for index in self._body.inputs)
        self._take(picture, [self._trained.picture])
        for operator in self._body.operators:
            if self._kind(operator) not in _TFLITE_MOVES:
                for index in map(int, operator.outputs):
                    self._take(index, self._candidates(index, operator))
        return self._found

    def _kind(self, operator: Any) -> str:
        return self._names[self._model.operatorCodes[operator.opcodeIndex].builtinCode]

    def _take(self, index: int, candidates: list[str]) -> None:
        if len(candidates) == 1:
            self._found[index] = candidates[0]
            self._trained.free.remove(candidates[0])

    def _candidates(self, index: int, operator: Any) -> list[str]:
        trained, kind = self._trained, self._kind(operator)
        fitting = [name for name in trained.free if self._fits(index, trained.tensors[name])]
        if kind in _WEIGHTED:
            weights = self._weights(operator)
            same = [name for name in fitting if trained.weights.get(name) == weights]
            if len(same) == 1:
                return same
        read = self._sources(operator.inputs)
        fitting = [name for name in fitting if trained.sources(name) == read]
        if len(fitting) > 1:
            return [name for name in fitting if _OPERATORS.get(trained.operator(name)) == kind]
        return fitting

    def _sources(self, inputs: Iterable[int]) -> set[str]:
        """Return the nearest matched tensors before an operator."""
        found: set[str] = set()
        for index in map(int, inputs):
            if index in self._found:
                found.add(self._found[index])
            elif index in self._written:
                found |= self._sources(self._written[index].inputs)
        return found

    def _weights(self, operator: Any) -> Weights | None:
        buffer = self._model.buffers[self._body.tensors[int(operator.inputs[1])].buffer].data
        return None if buffer is None else _counted(np.asarray(buffer, np.uint8).view(np.int8))

    def _fits(self, index: int, tensor: QuantizedTensor) -> bool:
        found = self._body.tensors[index]
        grid = found.quantization
        if found.type not in self._types or grid is None or grid.scale is None or len(grid.scale) != 1:
            return False
        shape = tensor.shape
        turned = (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape
        zero_point = int(grid.zeroPoint[0]) + self._types[found.type]
        return (
            tuple(map(int, found.shape)) == turned
            and zero_point == tensor.zero_point
            and bool(np.isclose(grid.scale[0], tensor.scale, rtol=_PRECISION, atol=0))
        )


class _Trained:
    """Trained graph, for matching.

    Attributes:
        picture: name of the picture tensor.
        tensors: all quantized tensors.
        free: computed tensors that are not matched yet, in order.
        weights: weights of the tensors that convolutions compute, clamped or not.
    """

    def __init__(self, network: Network, tensors: Mapping[str, QuantizedTensor]) -> None:
        self.picture, self.tensors = network.graph.input, tensors
        self._producers = {name: node for node in network.graph.nodes for name in node.outputs}
        self.free = [name for name in tensors if self.operator(name) not in _MOVES]
        convolutions = {name: self._convolution(name) for name in self.free}
        self.weights = {
            name: _weights_of(network, node) for name, node in convolutions.items() if node is not None
        }

    def operator(self, name: str) -> str:
        """Return the operator that computes a tensor; empty for the picture."""
        return self._producers[name].operator if name in self._producers else ""

    def sources(self, name: str) -> set[str]:
        """Return the nearest computed quantized tensors before a tensor, or the picture."""
        found: set[str] = set()
        for read in self._producers[name].inputs if name in self._producers else ():
            computes = read in self.tensors and self.operator(read) not in _MOVES
            found |= {read} if computes else self.sources(read)
        return found

    def _convolution(self, name: str) -> Node | None:
        """Return the convolution that computes a tensor, before its clamp; None for another operator."""
        node = self._producers.get(name)
        while node is not None and node.operator != "Conv" and node.inputs[0] not in self.tensors:
            node = self._producers.get(node.inputs[0])
        return node if node is not None and node.operator == "Conv" else None


@torch.no_grad()
def _weights_of(network: Network, node: Node) -> Weights:
    weight = network.convolution(node).weight()
    scale = weight_scale(weight).reshape(-1, *[1] * (weight.dim() - 1))
    return _counted(torch.round(weight / scale).to(torch.int8).numpy())


def _counted(codes: npt.NDArray[np.int8]) -> Weights:
    return np.bincount(codes.reshape(-1).view(np.uint8), minlength=256).tobytes()
