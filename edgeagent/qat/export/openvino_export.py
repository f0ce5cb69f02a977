"""Export to QDQ ONNX on partial grids, for OpenVINO (:mod:`edgeagent.qat.export.paired_onnx`).

The gate of a HardSwish is a depthwise 1 x 1 convolution in the graph. It computes in float and is written as
a product and a sum with one factor and one offset for each channel, so that OpenVINO may fuse it into the
convolution before it, together with the clamp and the product behind it.
"""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import helper

from edgeagent.errors import DataError
from edgeagent.qat.core.work_file import write_work_file
from edgeagent.qat.export.paired_onnx import PairedWriter
from edgeagent.qat.graph.node import Node
from edgeagent.qat.network.network import Network

PER_CHANNEL = (1, -1, 1, 1)


def export_openvino(network: Network, path: Path) -> None:
    """Write the network's weights and grids as a QDQ ONNX file for OpenVINO.

    Raises:
        DataError: the network is not on partial grids.
        EdgeagentError: the file cannot be written.
    """
    if network.plan.kind != "partial":
        raise DataError(f"{path}: OpenVINO needs a network on partial grids; make one from affine grids")
    model = _Writer(network).model()
    onnx.checker.check_model(model, full_check=True)
    write_work_file(path, model.SerializeToString())


class _Writer(PairedWriter):
    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self._gated = network

    def write(self, node: Node) -> None:
        if node.name in self._gated.plan.float_nodes:
            self._write_gate(node)
        else:
            super().write(node)

    def _write_gate(self, gate: Node) -> None:
        """Write a gate, before its clamp, as a product and a sum."""
        module, output = self._gated.convolution(gate), gate.outputs[0]
        weight, bias = module.weight().detach().numpy(), module.bias()
        factor = self.constant(f"{output}_factor", weight.reshape(PER_CHANNEL))
        scaled = output if bias is None else f"{output}_scaled"
        self.add(helper.make_node("Mul", [gate.inputs[0], factor], [scaled], f"{output}_product"))
        if bias is not None:
            offset = self.constant(f"{output}_offset", bias.detach().numpy().reshape(PER_CHANNEL))
            self.add(helper.make_node("Add", [scaled, offset], [output], gate.name))
