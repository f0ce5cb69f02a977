"""Export to QDQ ONNX on partial grids, for OpenVINO (:mod:`edgeagent.qat.export.paired_onnx`).

The gate of a HardSwish is a convolution in the graph, and is written as what it stands for:
y = x * clip(w * x + b, 0, 1) with b = 1/2 is HardSwish(6 w x) / (6 w) for each channel. OpenVINO fuses both
products and HardSwish into the convolution before them. A gate with another b, after a training, is written
as a product and a sum.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from edgeagent.errors import DataError
from edgeagent.qat.core.work_file import write_work_file
from edgeagent.qat.export.paired_onnx import PairedWriter
from edgeagent.qat.graph.node import Node
from edgeagent.qat.network.network import Network

Numbers = npt.NDArray[np.float32]

HARD_SWISH_OPSET = 14
SLOPE = 6.0
"""Reciprocal of the slope of HardSwish's own gate."""
MIDDLE = 0.5


def export_openvino(network: Network, path: Path) -> None:
    """Write the network's weights and grids as a QDQ ONNX file for OpenVINO.

    Raises:
        DataError: the network is not on partial grids.
        EdgeagentError: the file cannot be written.
    """
    if network.plan.kind != "partial":
        raise DataError(f"{path}: OpenVINO needs a network on partial grids; plan and calibrate it on these")
    model = _Writer(network).model()
    onnx.checker.check_model(model, full_check=True)
    write_work_file(path, model.SerializeToString())


class _Writer(PairedWriter):
    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self._trained, self._gates = network, network.plan.float_nodes
        self._replaced: set[str] = set()
        self._products: dict[str, Node] = {}
        readers = network.graph.consumers()
        for gate in network.graph.nodes:
            if gate.name in self._gates and np.allclose(self._line(gate)[1], MIDDLE):
                (clip,) = readers[gate.outputs[0]]
                self._replaced |= {gate.name, clip.name}
                self._products |= {product.name: gate for product in readers[clip.outputs[0]]}
        if self._products:
            self.opset = max(self.opset, HARD_SWISH_OPSET)

    def write(self, node: Node) -> None:
        gate = self._products.get(node.name)
        if gate is not None:
            self._write_hard_swish(node, gate)
        elif node.name in self._gates - self._replaced:
            self._write_gate(node)
        elif node.name not in self._replaced:
            super().write(node)

    def _line(self, gate: Node) -> tuple[Numbers, Numbers]:
        """Return weight and bias of a gate, (1, channels, 1, 1) each."""
        module = self._trained.convolution(gate)
        weight, bias = module.weight().detach().numpy().reshape(1, -1, 1, 1), module.bias()
        return weight, np.zeros_like(weight) if bias is None else bias.detach().numpy().reshape(1, -1, 1, 1)

    def _write_hard_swish(self, product: Node, gate: Node) -> None:
        """Write HardSwish in place of a product with its gate."""
        factor, output = self._line(gate)[0] * SLOPE, product.outputs[0]
        if np.allclose(factor, 1):
            self.add(helper.make_node("HardSwish", [gate.inputs[0]], [output], product.name))
        else:
            scaled, result = f"{output}_scaled", f"{output}_unscaled"
            self._multiply(gate.inputs[0], factor, scaled)
            self.add(helper.make_node("HardSwish", [scaled], [result], product.name))
            self._multiply(result, 1 / factor, output)
        self.quantize_outputs(product)

    def _write_gate(self, gate: Node) -> None:
        """Write a gate, before its clamp, as a product and a sum."""
        (weight, bias), output = self._line(gate), gate.outputs[0]
        self._multiply(gate.inputs[0], weight, f"{output}_scaled")
        offset = self.constant(f"{output}_offset", bias)
        self.add(helper.make_node("Add", [f"{output}_scaled", offset], [output], gate.name))

    def _multiply(self, tensor: str, factor: Numbers, output: str) -> None:
        given = self.constant(f"{output}_factor", factor.astype(np.float32))
        self.add(helper.make_node("Mul", [tensor, given], [output], f"{output}_product"))
