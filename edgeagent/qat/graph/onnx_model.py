"""The graph as a float ONNX model."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.node import Shape

IR_VERSION = 8  # ONNX 1.12: read by the ONNX Runtime of a JetPack 5 board


def float_model(graph: Graph) -> onnx.ModelProto:
    """Return a model from the picture (1, 3, h, w) float32 to the raw head tensors."""
    nodes = [helper.make_node(n.operator, n.inputs, n.outputs, n.name, **n.attributes) for n in graph.nodes]
    picture = helper.make_tensor_value_info(graph.input, TensorProto.FLOAT, graph.input_shape)
    heads = [helper.make_tensor_value_info(h.tensor, TensorProto.FLOAT, h.shape) for h in graph.heads]
    constants = [numpy_helper.from_array(array, name) for name, array in graph.constants.items()]
    body = helper.make_graph(nodes, "edgeagent", [picture], heads, constants)
    return helper.make_model(
        body, opset_imports=[helper.make_opsetid("", graph.opset)], ir_version=IR_VERSION
    )


def tensor_shapes(graph: Graph) -> dict[str, Shape]:
    """Return the shape of every tensor that ONNX shape inference finds, for a batch of 1."""
    model = onnx.shape_inference.infer_shapes(float_model(graph))
    infos = [*model.graph.input, *model.graph.value_info, *model.graph.output]
    return {item.name: tuple(d.dim_value for d in item.type.tensor_type.shape.dim) for item in infos}
