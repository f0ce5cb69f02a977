"""Export to QDQ ONNX on symmetric grids, for TensorRT.

The source graph's nodes are kept. Added are

- for int8 activations without zero point, QuantizeLinear and DequantizeLinear after each tensor that the plan
  quantizes, and again in front of a weighted operator that reads moved values (a concat, for example): this
  changes no value but tells TensorRT that the move can run on codes;
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
from edgeagent.errors import DataError
from edgeagent.qat.core.codes import SYMMETRIC_ZERO
from edgeagent.qat.core.operator_kinds import WEIGHTED
from edgeagent.qat.core.work_file import write_work_file
from edgeagent.qat.export.onnx_export import PICTURE
from edgeagent.qat.graph.node import Node
from edgeagent.qat.graph.onnx_model import IR_VERSION
from edgeagent.qat.grid.plan import keeps_codes
from edgeagent.qat.lint.finding import errors
from edgeagent.qat.lint.qdq_model import QdqModel, is_dq, is_q, moves
from edgeagent.qat.lint.tensorrt_lint import lint_tensorrt
from edgeagent.qat.network.fake_quantize import ActivationGrid, weight_scale
from edgeagent.qat.network.network import Network
from edgeagent.version import __version__


def export_tensorrt(network: Network, path: Path) -> None:
    """Write the network's weights and grids as a QDQ ONNX file for TensorRT.

    Raises:
        DataError: the network is not on symmetric grids, or the file breaks a rule of TensorRT.
        EdgeagentError: the file cannot be written.
    """
    if network.plan.kind != "symmetric":
        raise DataError(
            f"{path}: TensorRT needs a network trained on symmetric grids; plan and train it on these"
        )
    model = _Writer(network).model()
    onnx.checker.check_model(model, full_check=True)
    broken = errors(lint_tensorrt(model))
    if broken:
        first = broken[0]
        raise DataError(
            f"{path}: TensorRT would not run it as trained ({len(broken)} findings; first "
            f"{first.rule} at {first.node}: {first.message})"
        )
    write_work_file(path, model.SerializeToString())


def count_tensorrt_operators(path: Path) -> OperatorCounts:
    """Return the operators of an artefact that TensorRT is predicted to run on integers and on floats."""
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


class _Writer:
    def __init__(self, network: Network) -> None:
        self._network = network
        self._graph, self._plan = network.graph, network.plan
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._quantized: set[str] = set()
        self._moved = {name for node in network.graph.nodes if keeps_codes(node) for name in node.outputs}

    def model(self) -> onnx.ModelProto:
        graph = self._graph
        _, channels, height, width = graph.input_shape
        pixels = helper.make_tensor_value_info(PICTURE, TensorProto.UINT8, (1, height, width, channels))
        self._write_picture()
        for node in graph.nodes:
            self._write(node)
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
            steps.append(("Sub", [self._constant("picture_mean", mean.reshape(1, 3, 1, 1))], {}))
        if np.any(std != 1):
            steps.append(("Div", [self._constant("picture_std", std.reshape(1, 3, 1, 1))], {}))
        tensor = PICTURE
        for index, (operator, constants, attributes) in enumerate(steps):
            output = self._graph.input if index == len(steps) - 1 else f"{PICTURE}_{operator.lower()}"
            name = f"{PICTURE}_{operator.lower()}"
            self._nodes.append(helper.make_node(operator, [tensor, *constants], [output], name, **attributes))
            tensor = output
        if self._graph.input in self._plan.of:
            self._quantize(self._graph.input)

    def _write(self, node: Node) -> None:
        inputs = [self._input(node, position) for position in range(len(node.inputs))]
        self._nodes.append(
            helper.make_node(node.operator, inputs, node.outputs, node.name, **node.attributes)
        )
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
            return self._constant(name, self._graph.constants[name])
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
            self._constant(f"grid{index}_scale", np.float32(scale)),
            self._constant("no_zero_point", np.int8(zero_point - SYMMETRIC_ZERO)),
        ]
        codes = f"{tensor}_q"
        self._nodes += [
            helper.make_node("QuantizeLinear", [tensor, *parameters], [codes], codes),
            helper.make_node("DequantizeLinear", [codes, *parameters], [f"{tensor}_dq"], f"{tensor}_dq"),
        ]

    def _weight(self, node: Node) -> str:
        name, weight = node.inputs[1], self._network.convolution(node).weight().detach()
        real = f"{name}_dq"
        if f"{name}_q" not in self._initializers:
            scale = weight_scale(weight)
            codes = (weight / scale.reshape(-1, *[1] * (weight.ndim - 1))).round().to(torch.int8)
            arguments = [
                self._constant(f"{name}_q", codes.numpy()),
                self._constant(f"{name}_scale", scale.numpy()),
                self._constant(f"{name}_zero", np.zeros(len(scale), np.int8)),
            ]
            self._nodes.append(helper.make_node("DequantizeLinear", arguments, [real], real, axis=0))
        return real

    def _bias(self, node: Node) -> str:
        bias = self._network.convolution(node).bias()
        return "" if bias is None else self._constant(node.inputs[2], bias.detach().numpy())

    def _constant(self, name: str, value: npt.NDArray[np.generic] | np.generic) -> str:
        if name and name not in self._initializers:
            self._initializers[name] = numpy_helper.from_array(np.asarray(value), name)
        return name
