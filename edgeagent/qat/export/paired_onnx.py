"""QDQ ONNX of networks whose codes stand where operators with weights read.

The source graph's nodes are kept. Added are

- QuantizeLinear and DequantizeLinear after each tensor that the plan quantizes, and again in front of a
  weighted operator that reads moved values (a concat, for example): this changes no value but tells an engine
  that the move can run on codes. Codes are int8 without zero point on symmetric grids, else uint8;
- for int8 weights, initializers with only a per-channel DequantizeLinear;
- float biases.

The artefact takes the picture as uint8 (1, height, width, 3) and returns float head tensors. TensorRT accepts
uint8 network inputs since 8.5 if their first operator is a cast to float; the graph therefore starts with
Cast, then Transpose, then mean and std where the model has them.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from edgeagent.bundle.manifest import OperatorCounts
from edgeagent.qat.core.codes import SYMMETRIC_ZERO
from edgeagent.qat.core.operator_kinds import WEIGHTED
from edgeagent.qat.export.onnx_export import PICTURE
from edgeagent.qat.graph.node import Node
from edgeagent.qat.graph.onnx_model import IR_VERSION
from edgeagent.qat.grid.plan import keeps_codes
from edgeagent.qat.lint.qdq_model import QdqModel, is_dq, is_q, moves
from edgeagent.qat.network.fake_quantize import ActivationGrid, weight_scale
from edgeagent.qat.network.network import Network
from edgeagent.version import __version__


def count_paired_operators(path: Path) -> OperatorCounts:
    """Return the operators of an artefact that its engine is predicted to run on integers and on floats."""
    model = QdqModel(onnx.load(str(path)))
    integer, real = Counter[str](), Counter[str]()
    for node in model.nodes:
        if node.op_type in WEIGHTED:
            codes = is_dq(model.producer(node.input[0]))
        elif moves(node) or node.op_type == "Concat":
            data = [name for name in node.input if name and model.constant(name) is None]
            codes = all(model.quantized_by(name) is not None for name in data)
        else:
            codes = False
        if not (is_q(node) or is_dq(node)):
            (integer if codes else real)[node.op_type] += 1
    return OperatorCounts(integer=dict(sorted(integer.items())), float=dict(sorted(real.items())))


class PairedWriter:
    """Writer of a network on symmetric or partial grids.

    Args:
        network: trained or calibrated network.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._graph, self._plan = network.graph, network.plan
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._quantized: set[str] = set()
        self._moved = {name for node in network.graph.nodes if keeps_codes(node) for name in node.outputs}

    def model(self) -> onnx.ModelProto:
        """Return the model."""
        graph = self._graph
        _, channels, height, width = graph.input_shape
        pixels = helper.make_tensor_value_info(PICTURE, TensorProto.UINT8, (1, height, width, channels))
        self._write_picture()
        for node in graph.nodes:
            self.write(node)
        outputs = [helper.make_tensor_value_info(h.tensor, TensorProto.FLOAT, h.shape) for h in graph.heads]
        body = helper.make_graph(
            self._nodes, "edgeagent", [pixels], outputs, list(self._initializers.values())
        )
        model = helper.make_model(
            body, opset_imports=[helper.make_opsetid("", graph.opset)], ir_version=IR_VERSION
        )
        model.producer_name, model.producer_version = "edgeagent", __version__
        return model

    def _write_picture(self) -> None:
        """Write the operators from uint8 pixels, channels last, to the real picture of the source graph."""
        mean, std = np.array(self._plan.mean, np.float32), np.array(self._plan.std, np.float32)
        steps: list[tuple[str, list[str], dict[str, Any]]] = [
            ("Cast", [], {"to": TensorProto.FLOAT}),
            ("Transpose", [], {"perm": [0, 3, 1, 2]}),
        ]
        if np.any(mean != 0):
            steps.append(("Sub", [self.constant("picture_mean", mean.reshape(1, 3, 1, 1))], {}))
        if np.any(std != 1):
            steps.append(("Div", [self.constant("picture_std", std.reshape(1, 3, 1, 1))], {}))
        tensor = PICTURE
        for index, (operator, constants, attributes) in enumerate(steps):
            output = self._graph.input if index == len(steps) - 1 else f"{PICTURE}_{operator.lower()}"
            name = f"{PICTURE}_{operator.lower()}"
            self._nodes.append(helper.make_node(operator, [tensor, *constants], [output], name, **attributes))
            tensor = output
        if self._graph.input in self._plan.of:
            self._quantize(self._graph.input)

    def write(self, node: Node) -> None:
        """Write a node with what it reads, and the quantization of its outputs."""
        inputs = [self._input(node, position) for position in range(len(node.inputs))]
        self.add(helper.make_node(node.operator, inputs, node.outputs, node.name, **node.attributes))
        self.quantize_outputs(node)

    def add(self, node: onnx.NodeProto) -> None:
        """Add a node of ONNX."""
        self._nodes.append(node)

    def quantize_outputs(self, node: Node) -> None:
        """Write the quantization of the outputs of a node that has been added."""
        for name in node.outputs:
            if name in self._plan.of and name not in self._moved:
                self._quantize(name)

    def _input(self, node: Node, position: int) -> str:
        name = node.inputs[position]
        if node.operator == "Conv" and position == 1:
            return self._weight(node)
        if node.operator == "Conv" and position == 2:
            return self._bias(node)
        if name in self._graph.constants:
            return self.constant(name, self._graph.constants[name])
        if (node.outputs[0], name) in self._plan.reads_float:
            return name
        if node.operator in WEIGHTED and name in self._moved:
            self._quantize(name)
        return f"{name}_dq" if name in self._quantized else name

    def _quantize(self, tensor: str) -> None:
        """Write QuantizeLinear and DequantizeLinear after a tensor, once."""
        if tensor in self._quantized:
            return
        self._quantized.add(tensor)
        index = self._plan.of[tensor]
        scale, zero_point = cast(ActivationGrid, self._network.grids[index]).quantization()
        parameters = [
            self.constant(f"grid{index}_scale", np.float32(scale)),
            self._zero(index, zero_point),
        ]
        codes = f"{tensor}_q"
        self._nodes += [
            helper.make_node("QuantizeLinear", [tensor, *parameters], [codes], codes),
            helper.make_node("DequantizeLinear", [codes, *parameters], [f"{tensor}_dq"], f"{tensor}_dq"),
        ]

    def _zero(self, index: int, zero_point: int) -> str:
        if self._plan.kind == "symmetric":
            return self.constant("no_zero_point", np.int8(zero_point - SYMMETRIC_ZERO))
        return self.constant(f"grid{index}_zero", np.uint8(zero_point))

    def _weight(self, node: Node) -> str:
        name, weight = node.inputs[1], self._network.convolution(node).weight().detach()
        real = f"{name}_dq"
        if f"{name}_q" not in self._initializers:
            scale = weight_scale(weight)
            codes = (weight / scale.reshape(-1, *[1] * (weight.ndim - 1))).round().to(torch.int8)
            arguments = [
                self.constant(f"{name}_q", codes.numpy()),
                self.constant(f"{name}_scale", scale.numpy()),
                self.constant(f"{name}_zero", np.zeros(len(scale), np.int8)),
            ]
            self._nodes.append(helper.make_node("DequantizeLinear", arguments, [real], real, axis=0))
        return real

    def _bias(self, node: Node) -> str:
        bias = self._network.convolution(node).bias()
        return "" if bias is None else self.constant(node.inputs[2], bias.detach().numpy())

    def constant(self, name: str, value: npt.NDArray[np.generic] | np.generic) -> str:
        """Return the name of an initializer, added once."""
        if name and name not in self._initializers:
            self._initializers[name] = numpy_helper.from_array(np.asarray(value), name)
        return name
