"""Constant folding: the nodes of a file that depend on the picture, in normal form.

Nodes are visited in order. Every shape is known, since the picture's shape is static. Constants and shape
arithmetic (Shape, Gather, Cast, Concat, Range, ...) are evaluated; Identity, Dropout and casts between float
types are removed; each remaining node is rewritten in its normal form
(:mod:`edgeagent.qat.graph.normal_form`).
"""

from __future__ import annotations

import math

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.shape_inference import InferenceError

from edgeagent.qat.graph.draft import Draft, unused
from edgeagent.qat.graph.node import Constant, Node, Shape
from edgeagent.qat.graph.normal_form import Forms
from edgeagent.qat.graph.reading import FLOATS, KNOWN_OPSET, inputs_of, opset_of

LARGEST_SHAPE_CONSTANT = 1024
"""Largest number of elements of a constant passed to shape inference: sizes and axes, not weights."""


def fold(model: onnx.ModelProto) -> Draft:
    """Return the draft of a model: the nodes that depend on the picture, in normal form.

    Args:
        model: model from :func:`edgeagent.qat.graph.reading.read_model`.
    """
    return _Folding(model).draft()


class _Folding:
    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph, self._opset = model.graph, opset_of(model)
        self._imports = [helper.make_opsetid("", self._opset)]
        self._draft = Draft()
        self._forms = Forms(self._draft, self._opset)
        self._types: dict[str, onnx.TypeProto] = {}
        for item in inputs_of(model):
            if _is_static(item.type):
                shape = _static(item.type)
                self._types[item.name] = helper.make_tensor_type_proto(TensorProto.FLOAT, shape)
                self._draft.shapes[item.name] = shape
        for item in self._graph.initializer:
            self._add_constant(item.name, numpy_helper.to_array(item))

    def draft(self) -> Draft:
        names: set[str] = set()
        for index, item in enumerate(self._graph.node):
            name = unused(item.name or f"{item.op_type}_{index}", names)
            names.add(name)
            self._take(self._node(name, item))
        return self._draft

    def _node(self, name: str, item: onnx.NodeProto) -> Node:
        operator = item.op_type if item.domain in ("", "ai.onnx") else f"{item.domain}.{item.op_type}"
        inputs = tuple(self._draft.resolve(name) for name in item.input)
        attributes = {a.name: helper.get_attribute_value(a) for a in item.attribute}
        return Node(name, operator, inputs, tuple(item.output), attributes)

    def _take(self, node: Node) -> None:
        draft = self._draft
        if node.operator == "Constant":
            self._add_constant(node.outputs[0], _constant_value(node))
        elif node.operator in ("Shape", "Size") and _is_static(self._types.get(node.inputs[0])):
            shape = _static(self._types[node.inputs[0]])
            part = slice(node.attributes.get("start", 0), node.attributes.get("end"))
            value = np.array(shape[part] if node.operator == "Shape" else math.prod(shape), np.int64)
            self._add_constant(node.outputs[0], value)
        elif node.inputs and all(name in draft.constants for name in node.inputs if name):
            self._evaluate(node)
        elif self._changes_nothing(node):
            draft.aliases[node.outputs[0]] = self._undone(node) or node.inputs[0]
        else:
            self._infer(node)
            self._forms.add(node)
            self._note_unknown_version(node)

    def _note_unknown_version(self, node: Node) -> None:
        """Record the problem of an operator that changed after the last known opset."""
        if self._opset > KNOWN_OPSET and onnx.defs.has(node.operator):
            since = onnx.defs.get_schema(node.operator, self._opset, "").since_version
            if since > KNOWN_OPSET:
                self._draft.problems[node.name] = (
                    f"operator {node.operator} of node {node.name} is that of opset {since}, qat knows "
                    f"those up to {KNOWN_OPSET}; export the model again with an opset from 11 to "
                    f"{KNOWN_OPSET}"
                )

    def _changes_nothing(self, node: Node) -> bool:
        if node.operator in ("Identity", "Dropout"):
            return True
        if node.operator == "Transpose":
            return self._undone(node) is not None
        if node.operator == "Expand":
            shape = self._draft.shape(node.inputs[0])
            wanted = self._draft.constants.get(node.inputs[1])
            return wanted is not None and bool(shape) and np.broadcast_shapes(shape, tuple(wanted)) == shape
        given = self._types.get(node.inputs[0]) if node.inputs else None
        return (
            node.operator == "Cast"
            and node.attributes["to"] in FLOATS
            and given is not None
            and given.tensor_type.elem_type in FLOATS
        )

    def _undone(self, node: Node) -> str | None:
        """Return the tensor before two transposes, the second of which undoes the first; else None."""
        if node.operator != "Transpose":
            return None
        first = next((one for one in self._draft.nodes if node.inputs[0] in one.outputs), None)
        if first is None or first.operator != "Transpose":
            return None
        order, again = first.attributes["perm"], node.attributes.get("perm")
        if not again or [order[axis] for axis in again] != list(range(len(order))):
            return None
        return first.inputs[0]

    def _evaluate(self, node: Node) -> None:
        graph = helper.make_graph(
            [helper.make_node(node.operator, node.inputs, node.outputs, **node.attributes)],
            "constant",
            [helper.make_tensor_value_info(n, TensorProto.UNDEFINED, None) for n in node.inputs if n],
            [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in node.outputs],
        )
        feeds = {name: self._draft.constants[name] for name in node.inputs if name}
        model = helper.make_model(graph, opset_imports=self._imports)
        try:
            results = ReferenceEvaluator(model).run(None, feeds)
        except (
            ArithmeticError,
            LookupError,
            NotImplementedError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            self._draft.problems[node.name] = (
                f"node {node.name} ({node.operator}) depends on constants alone but cannot be evaluated "
                f"({error}); simplify the model or export it again"
            )
            self._draft.nodes.append(node)
            return
        for name, value in zip(node.outputs, results, strict=True):
            self._add_constant(name, np.asarray(value))

    def _add_constant(self, name: str, value: Constant) -> None:
        if value.dtype.kind == "f" or value.dtype.name == "bfloat16":
            value = value.astype(np.float32)
        self._draft.constants[name] = value
        self._types[name] = helper.make_tensor_type_proto(
            helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )

    def _infer(self, node: Node) -> None:
        """Record the types of a node's outputs where onnx infers them."""
        draft = self._draft
        try:
            schema = onnx.defs.get_schema(node.operator, self._opset, "")
            small = {
                name: numpy_helper.from_array(draft.constants[name], name)
                for name in node.inputs
                if name in draft.constants and draft.constants[name].size <= LARGEST_SHAPE_CONSTANT
            }
            proto = helper.make_node(node.operator, node.inputs, node.outputs, **node.attributes)
            types = {name: self._types[name] for name in node.inputs if name}
            found = onnx.shape_inference.infer_node_outputs(
                schema, proto, types, small, opset_imports=self._imports
            )
        except (LookupError, RuntimeError, TypeError, ValueError, onnx.defs.SchemaError, InferenceError):
            return  # reported by the operator check if the node is needed
        self._types.update(found)
        draft.shapes.update((name, _static(kind)) for name, kind in found.items() if _is_static(kind))


def _constant_value(node: Node) -> Constant:
    ((kind, value),) = node.attributes.items()
    if kind == "value":
        return numpy_helper.to_array(value)
    return np.asarray(value, np.float32 if "float" in kind else np.int64 if "int" in kind else None)


def _is_static(kind: onnx.TypeProto | None) -> bool:
    if kind is None or not kind.tensor_type.HasField("shape"):
        return False
    return all(d.HasField("dim_value") and d.dim_value >= 0 for d in kind.tensor_type.shape.dim)


def _static(kind: onnx.TypeProto) -> Shape:
    return tuple(d.dim_value for d in kind.tensor_type.shape.dim)
