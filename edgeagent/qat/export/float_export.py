"""The float graph, cut at its heads like the artefacts: the reference that they are compared with."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeagent.qat.export.onnx_export import IR_VERSION
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.training.work_file import write_whole


def export_float(graph: Graph, path: Path) -> None:
    """Write the graph as float ONNX, from (1, 3, h, w) to the raw head tensors.

    Raises:
        EdgeagentError: the file cannot be written.
    """
    model = float_model(graph)
    onnx.checker.check_model(model, full_check=True)
    write_whole(path, model.SerializeToString())


def float_model(graph: Graph) -> onnx.ModelProto:
    """Return the graph as a float ONNX model."""
    nodes = [helper.make_node(n.operator, n.inputs, n.outputs, n.name, **n.attributes) for n in graph.nodes]
    picture = helper.make_tensor_value_info(graph.input, TensorProto.FLOAT, graph.input_shape)
    heads = [helper.make_tensor_value_info(h.tensor, TensorProto.FLOAT, h.shape) for h in graph.heads]
    constants = [numpy_helper.from_array(array, name) for name, array in graph.constants.items()]
    body = helper.make_graph(nodes, "edgeagent", [picture], heads, constants)
    return helper.make_model(
        body, opset_imports=[helper.make_opsetid("", graph.opset)], ir_version=IR_VERSION
    )
