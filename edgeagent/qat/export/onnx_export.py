"""Export to QDQ ONNX on affine grids: the trained grids are written into the source graph.

The source graph's nodes are kept. Added are

- for uint8 activations, a QuantizeLinear after every computing operator and one DequantizeLinear per reader
  (shared ones prevent fusion in ONNX Runtime);
- for int8 weights, initializers with only a per-channel DequantizeLinear, so that no float weight is stored;
- for int32 biases, initializers at input scale times weight scale with only a DequantizeLinear.

The artefact takes the picture as uint8 (1, height, width, 3) and returns float head tensors. Codes of the
input are pixels when the network takes 0..255 unchanged; otherwise the metadata entry ``edgeagent.input`` has
``{"scale": s, "zero_point": z}`` of the normalized picture.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from edgeagent.qat.core.codes import LEVELS
from edgeagent.qat.core.operator_kinds import CLAMPS
from edgeagent.qat.core.work_file import write_work_file
from edgeagent.qat.graph.clamps import is_redundant_clamp
from edgeagent.qat.graph.node import Node
from edgeagent.qat.graph.onnx_model import IR_VERSION
from edgeagent.qat.network.fake_quantize import ActivationGrid, weight_scale
from edgeagent.qat.network.network import Network
from edgeagent.version import __version__

PICTURE = "picture"
KEPT_APART = frozenset({"Conv", "Relu", "Clip"})


def export_onnx(network: Network, path: Path) -> None:
    """Write the network's weights and grids as a QDQ ONNX file.

    Raises:
        EdgeagentError: the file cannot be written.
    """
    model = _Writer(network).model()
    onnx.checker.check_model(model, full_check=True)
    write_work_file(path, model.SerializeToString())


class _Writer:
    def __init__(self, network: Network) -> None:
        self._network = network
        self._graph = network.graph
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._readers = 0

    def model(self) -> onnx.ModelProto:
        graph = self._graph
        _, channels, height, width = graph.input_shape
        pixels = helper.make_tensor_value_info(PICTURE, TensorProto.UINT8, (1, height, width, channels))
        codes = self._codes(graph.input)
        self._nodes.append(
            helper.make_node("Transpose", [PICTURE], [codes], "picture_nchw", perm=[0, 3, 1, 2])
        )
        for node in graph.nodes:
            self._write(node)
        outputs = []
        for head in graph.heads:
            self._nodes.append(self._dequantize(head.tensor, head.tensor))
            outputs.append(helper.make_tensor_value_info(head.tensor, TensorProto.FLOAT, head.shape))
        body = helper.make_graph(
            self._nodes, "edgeagent", [pixels], outputs, list(self._initializers.values())
        )
        model = helper.make_model(
            body, opset_imports=[helper.make_opsetid("", graph.opset)], ir_version=IR_VERSION
        )
        model.producer_name, model.producer_version = "edgeagent", __version__
        scale, zero_point = self._grid(graph.input).quantization()
        helper.set_model_props(
            model, {"edgeagent.input": json.dumps({"scale": float(scale), "zero_point": zero_point})}
        )
        return model

    def _write(self, node: Node) -> None:
        quantized = [name for name in node.outputs if name in self._network.plan.of]
        outputs = [f"{name}_real" if name in quantized else name for name in node.outputs]
        if self._is_joined_clamp(node):
            outputs = [self._clamp(node)]
        else:
            inputs = [self._input(node, position) for position in range(len(node.inputs))]
            proto = helper.make_node(node.operator, inputs, outputs, node.name, **node.attributes)
            self._nodes.append(proto)
        kept_float = node.name in self._network.plan.float_nodes and node.operator in KEPT_APART
        for name, real in zip(node.outputs, outputs, strict=True):
            if name in quantized:
                self._quantize(self._kept_apart(real) if kept_float else real, name, self._codes(name))

    def _is_joined_clamp(self, node: Node) -> bool:
        """Return whether a node is a clamp fused with the node before it."""
        plan = self._network.plan
        joined = node.outputs[0] in plan.of and node.inputs[0] not in plan.of
        return joined and node.operator in CLAMPS and node.name not in plan.float_nodes

    def _clamp(self, node: Node) -> str:
        """Write a fused clamp and return its real output, which is its input for a redundant clamp.

        The input of any other clamp is quantized first, on the same grid, since ONNX Runtime would compute
        the operator before it on floats otherwise. A Relu of codes is written as a LeakyRelu with slope 0,
        which ONNX Runtime has on integers.
        """
        (output, x), attributes = (node.outputs[0], node.inputs[0]), node.attributes
        scale, zero_point = self._grid(output).quantization()
        if is_redundant_clamp(node, self._graph.constants, float(scale), zero_point):
            return x
        codes, real = f"{x}_u8", f"{x}_dq"
        self._quantize(x, output, codes)
        self._nodes.append(helper.make_node("DequantizeLinear", [codes, *self._parameters(output)], [real]))
        bounds = [self._input(node, position) for position in range(1, len(node.inputs))]
        operator = node.operator
        if operator == "Relu":
            operator, attributes = "LeakyRelu", {"alpha": 0.0}
        self._nodes.append(
            helper.make_node(operator, [real, *bounds], [f"{output}_real"], node.name, **attributes)
        )
        return f"{output}_real"

    def _quantize(self, real: str, tensor: str, codes: str) -> None:
        arguments = [real, *self._parameters(tensor)]
        self._nodes.append(helper.make_node("QuantizeLinear", arguments, [codes], f"{codes}_q"))

    def _kept_apart(self, tensor: str) -> str:
        """Write an identity (Max with the lowest float) after a tensor and return its output.

        Without it, ONNX Runtime would quantize the float weights of a convolution between codes.
        """
        lowest = self._constant("lowest", np.float32(np.finfo(np.float32).min))
        self._nodes.append(helper.make_node("Max", [tensor, lowest], [f"{tensor}_kept"]))
        return f"{tensor}_kept"

    def _input(self, node: Node, position: int) -> str:
        name = node.inputs[position]
        if node.operator == "Conv" and position in (1, 2) and node.name in self._network.plan.float_nodes:
            return self._real_parameter(node, position)
        if node.operator == "Conv" and position == 1:
            return self._weight(node)
        if node.operator == "Conv" and position == 2:
            return self._bias(node)
        if name in self._graph.constants:
            if name not in self._network.plan.of:
                return self._constant(name, self._graph.constants[name])
            self._constant(self._codes(name), self._quantized(name))
        elif name not in self._network.plan.of:  # omitted input, float tensor, or input of a fused clamp
            return name
        self._readers += 1
        real = f"{name}_dq{self._readers}"
        self._nodes.append(self._dequantize(name, real))
        return real

    def _dequantize(self, tensor: str, real: str) -> onnx.NodeProto:
        return helper.make_node("DequantizeLinear", [self._codes(tensor), *self._parameters(tensor)], [real])

    @staticmethod
    def _codes(tensor: str) -> str:
        return f"{tensor}_u8"

    def _parameters(self, tensor: str) -> list[str]:
        """Return the names of the scale and zero point initializers of a tensor's grid."""
        index = self._network.plan.of[tensor]
        scale, zero_point = self._grid(tensor).quantization()
        return [
            self._constant(f"grid{index}_scale", np.float32(scale)),
            self._constant(f"grid{index}_zero", np.uint8(zero_point)),
        ]

    def _quantized(self, name: str) -> npt.NDArray[np.uint8]:
        """Return the codes of a constant operand."""
        scale, zero_point = self._grid(name).quantization()
        codes = np.round(self._graph.constants[name] / scale) + zero_point
        return np.clip(codes, 0, LEVELS - 1).astype(np.uint8)

    def _grid(self, tensor: str) -> ActivationGrid:
        return cast(ActivationGrid, self._network.grids[self._network.plan.of[tensor]])

    def _weight(self, node: Node) -> str:
        module = self._network.convolution(node)
        weight = module.weight().detach()
        scale = weight_scale(weight)
        codes = (weight / scale.reshape(-1, *[1] * (weight.ndim - 1))).round().to(torch.int8)
        return self._per_channel(node.inputs[1], codes.numpy(), scale.numpy())

    def _real_parameter(self, node: Node, position: int) -> str:
        module = self._network.convolution(node)
        value = module.weight() if position == 1 else module.bias()
        return "" if value is None else self._constant(node.inputs[position], value.detach().numpy())

    def _bias(self, node: Node) -> str:
        module = self._network.convolution(node)
        bias = module.bias()
        if bias is None:
            return ""
        input_scale, _ = self._grid(node.inputs[0]).quantization()
        scale = (weight_scale(module.weight()).numpy() * input_scale).astype(np.float32)
        codes = np.round(bias.detach().numpy() / scale.astype(np.float64))
        limits = np.iinfo(np.int32)
        return self._per_channel(
            node.inputs[2], np.clip(codes, limits.min, limits.max).astype(np.int32), scale
        )

    def _per_channel(self, name: str, codes: npt.NDArray[np.generic], scale: npt.NDArray[np.float32]) -> str:
        self._readers += 1
        real = f"{name}_dq{self._readers}"
        arguments = [
            self._constant(f"{name}_q", codes),
            self._constant(f"{name}_scale", scale),
            self._constant(f"{name}_zero", np.zeros(len(scale), codes.dtype)),
        ]
        self._nodes.append(helper.make_node("DequantizeLinear", arguments, [real], axis=0))
        return real

    def _constant(self, name: str, value: npt.NDArray[np.generic] | np.generic) -> str:
        if name not in self._initializers:
            self._initializers[name] = numpy_helper.from_array(np.asarray(value), name)
        return name
