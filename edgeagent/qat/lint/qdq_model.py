"""View of a QDQ ONNX graph: producers, quantizers and readers of its tensors."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, TypeGuard

import numpy.typing as npt
import onnx
from onnx import TensorProto, numpy_helper

from edgeagent.qat.core.operator_kinds import ACTIVATIONS, INTERPOLATING, SAME_GRID, WEIGHTED

Numbers = npt.NDArray[Any]


def is_q(node: onnx.NodeProto | None) -> TypeGuard[onnx.NodeProto]:
    """Return whether a node is a QuantizeLinear."""
    return node is not None and node.op_type == "QuantizeLinear"


def is_dq(node: onnx.NodeProto | None) -> TypeGuard[onnx.NodeProto]:
    """Return whether a node is a DequantizeLinear."""
    return node is not None and node.op_type == "DequantizeLinear"


def moves(node: onnx.NodeProto) -> bool:
    """Return whether a node only moves values of its first input."""
    if node.op_type not in SAME_GRID - {"Concat"}:
        return False
    return not any(item.name == "mode" and item.s in INTERPOLATING for item in node.attribute)


class QdqModel:
    """View of a model; constants are initializers and Constant nodes.

    Args:
        model: ONNX model.

    Attributes:
        nodes: nodes in the order of the file, without Constant.
        pairs: QuantizeLinear and DequantizeLinear nodes.
        opset: version of the default domain.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._constants = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
                self._constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        self.nodes = [node for node in model.graph.node if node.op_type != "Constant"]
        self.pairs = [node for node in self.nodes if is_q(node) or is_dq(node)]
        self.opset = next((i.version for i in model.opset_import if i.domain in ("", "ai.onnx")), 0)
        self._producers = {name: node for node in self.nodes for name in node.output}
        self._readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in self.nodes:
            for name in node.input:
                self._readers[name].append(node)

    def producer(self, tensor: str) -> onnx.NodeProto | None:
        """Return the node that computes a tensor; None for inputs and constants."""
        return self._producers.get(tensor)

    def readers(self, tensor: str) -> list[onnx.NodeProto]:
        """Return the nodes that read a tensor."""
        return self._readers[tensor]

    def constant(self, tensor: str) -> Numbers | None:
        """Return a constant tensor; None for a computed one."""
        return self._constants.get(tensor)

    def scale(self, pair: onnx.NodeProto | None) -> Numbers | None:
        """Return the constant scale of a QuantizeLinear or DequantizeLinear; None if there is none."""
        return None if pair is None else self.constant(pair.input[1])

    def code_type(self, node: onnx.NodeProto) -> int:
        """Return the TensorProto type of a pair's codes; by default uint8, as in ONNX."""
        zero = self.constant(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        if zero is not None:
            return _type(zero)
        if is_q(node):
            return next((item.i for item in node.attribute if item.name == "output_dtype"), TensorProto.UINT8)
        stored, source = self.constant(node.input[0]), self.producer(node.input[0])
        if stored is not None:
            return _type(stored)
        return self.code_type(source) if is_q(source) else TensorProto.UINT8

    def is_weight(self, tensor: str) -> bool:
        """Return whether a tensor is constant, or the codes of a constant."""
        source = self.producer(tensor)
        return tensor in self._constants or (is_q(source) and source.input[0] in self._constants)

    def weight_shape(self, tensor: str) -> tuple[int, ...]:
        """Return the shape of a constant, or of the constant that a QuantizeLinear reads."""
        source = self.producer(tensor)
        stored = self.constant(source.input[0] if is_q(source) else tensor)
        return () if stored is None else stored.shape

    def unquantized(self, tensor: str) -> str:
        """Return the tensor before all Q/DQ pairs that a tensor comes from; itself without a pair."""
        node = self.producer(tensor)
        while is_q(node) or is_dq(node):
            tensor = node.input[0]
            node = self.producer(tensor)
        return tensor

    def quantized_by(self, tensor: str) -> onnx.NodeProto | None:
        """Return the DequantizeLinear that a tensor comes from, through moves; None for another source."""
        node = self.producer(tensor)
        while node is not None and moves(node):
            node = self.producer(node.input[0])
        return node if is_dq(node) else None

    def source(self, tensor: str) -> str:
        """Return the operator that computed a tensor's values, before moves and Q/DQ; empty for an input."""
        node = self.producer(tensor)
        while node is not None and (is_q(node) or is_dq(node) or moves(node)):
            node = self.producer(node.input[0])
        return "" if node is None else node.op_type

    def from_weights(self, tensor: str) -> bool:
        """Return whether a tensor is the output of a weighted operator, or an activation of one."""
        node = self.producer(tensor)
        if node is None:
            return False
        if node.op_type in WEIGHTED:
            return True
        return node.op_type in ACTIVATIONS and any(self.from_weights(name) for name in node.input)


def _type(array: Numbers) -> int:
    return int(onnx.helper.np_dtype_to_tensor_dtype(array.dtype))
