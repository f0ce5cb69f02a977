"""Normal forms of computing operators: activations, sums and products, reductions, Gemm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeagent.qat.graph.node import Node
from edgeagent.qat.graph.normal_form.form import Form

AFFINE = "Affine"
"""Internal operator for BatchNormalization: y = gain * x + shift per channel, with both as 1-D constants."""

UNLIMITED = 1e30
"""Bounds of Clip beyond this count as absent; exports write the largest float."""


def _clip(form: Form) -> list[Node]:
    names = []
    for position, name in ((1, "min"), (2, "max")):
        given = form.constant(position) if name not in form.node.attributes else form.attribute(name)
        value = np.inf if given is None else float(np.ravel(given)[0])
        names.append("" if abs(value) > UNLIMITED else form.store(name, value))
    return [form.final("Clip", form.node.inputs[0], *names)]


def _hard_sigmoid(form: Form) -> list[Node]:
    slope, offset = form.attribute("alpha", 0.2), form.attribute("beta", 0.5)
    return _steps(form, slope, offset, last=form.final)


def _steps(form: Form, slope: float, offset: float, last: Callable[..., Node]) -> list[Node]:
    """Write slope * clip(x + offset / slope, 0, 1 / slope) as sums and products, which run on integers."""
    x, shape = form.node.inputs[0], form.shape()
    shifted = form.new("Add", "shifted", x, form.store("offset", offset / slope), shape=shape)
    low, high = form.store("low", 0.0), form.store("high", 1 / slope)
    clipped = form.new("Clip", "clipped", shifted.outputs[0], low, high, shape=shape)
    return [shifted, clipped, last("Mul", clipped.outputs[0], form.store("slope", slope))]


def _hard_swish(form: Form) -> list[Node]:
    shape = form.shape()
    nodes = _steps(
        form, 1 / 6, 0.5, lambda *arguments: form.new(arguments[0], "gate", *arguments[1:], shape=shape)
    )
    return [*nodes, form.final("Mul", form.node.inputs[0], nodes[-1].outputs[0])]


def _softmax(form: Form) -> list[Node]:
    shape = form.shape()
    if form.opset >= 13:
        return [form.final("Softmax", form.node.inputs[0], axis=form.axis(form.attribute("axis", -1)))]
    axis = form.axis(form.attribute("axis", 1))
    if all(size == 1 for size in shape[axis + 1 :]):
        return [form.final("Softmax", form.node.inputs[0], axis=axis)]
    flat = (*shape[:axis], int(np.prod(shape[axis:])))  # before opset 13, over all axes from this one on
    before = form.new("Reshape", "flat", form.node.inputs[0], form.store("flat", flat, np.int64), shape=flat)
    softmax = form.new("Softmax", "softmax", before.outputs[0], shape=flat, axis=axis)
    return [before, softmax, form.final("Reshape", softmax.outputs[0], form.store("shape", shape, np.int64))]


def _reduce_mean(form: Form) -> list[Node]:
    shape, axes = form.shape(), form.parameter("axes", 1)
    if axes is None:
        raise form.unsupported("a mean over all axes, which would mix the pictures of a batch,")
    counted = sorted(form.axis(int(axis)) for axis in np.ravel(axes))
    keep = form.attribute("keepdims", 1)
    if len(shape) != 4 or counted != [2, 3]:
        return [form.final("ReduceMean", form.node.inputs[0], axes=counted, keepdims=keep)]
    if keep:
        return [form.final("GlobalAveragePool", form.node.inputs[0])]
    pooled = form.new("GlobalAveragePool", "pooled", form.node.inputs[0], shape=(*shape[:2], 1, 1))
    return [pooled, form.final("Reshape", pooled.outputs[0], form.store("shape", shape[:2], np.int64))]


def _div(form: Form) -> list[Node]:
    x, y = form.node.inputs
    if y not in form.draft.constants:
        return [form.node]
    return [form.final("Mul", x, form.store("reciprocal", 1 / form.draft.constants[y].astype(np.float64)))]


def _sub(form: Form) -> list[Node]:
    x, y = form.node.inputs
    if y in form.draft.constants:
        return [form.final("Add", x, form.store("negative", -form.draft.constants[y]))]
    if x not in form.draft.constants:
        return [form.node]
    negative = form.new("Mul", "negative", y, form.store("minus_one", -1.0), shape=form.shape(1))
    return [negative, form.final("Add", negative.outputs[0], x)]


def _pow(form: Form) -> list[Node]:
    exponent = np.ravel(form.required(1))
    if exponent.size != 1 or exponent[0] not in (0.5, 2):
        raise form.unsupported(f"exponent {exponent.tolist()}")
    x = form.node.inputs[0]
    return [form.final("Mul", x, x) if exponent[0] == 2 else form.final("Sqrt", x)]


def _sum(form: Form) -> list[Node]:
    inputs = form.node.inputs
    if len(inputs) == 1:
        return [form.final("Add", inputs[0], form.store("zero", 0.0))]
    nodes, total = [], inputs[0]
    for position, name in enumerate(inputs[1:-1]):
        shape = np.broadcast_shapes(form.draft.shape(total), form.draft.shape(name))
        nodes.append(form.new("Add", f"sum{position}", total, name, shape=shape))
        total = nodes[-1].outputs[0]
    return [*nodes, form.final("Add", total, inputs[-1])]


def _batch_normalization(form: Form) -> list[Node]:
    if form.attribute("training_mode", 0) or len(form.shape()) < 2:
        raise form.unsupported("training mode")
    scale, bias, mean, variance = (form.required(position).astype(np.float64) for position in range(1, 5))
    gain = scale / np.sqrt(variance + form.attribute("epsilon", 1e-5))
    constants = form.store("gain", gain), form.store("shift", bias - mean * gain)
    return [Node(form.node.name, AFFINE, (form.node.inputs[0], *constants), form.node.outputs[:1], {})]


def _gemm(form: Form) -> list[Node]:
    """x @ weight.T + bias, with the weight as (outputs, inputs)."""
    if form.attribute("transA", 0) or len(form.shape()) != 2:
        raise form.unsupported("a transposed first operand")
    weight = form.required(1) * np.float32(form.attribute("alpha", 1.0))
    weight = weight if form.attribute("transB", 0) else weight.T
    bias = form.constant(2)
    bias = np.zeros(1) if bias is None else bias * form.attribute("beta", 1.0)
    constants = form.store("weight", weight), form.store("bias", np.broadcast_to(np.ravel(bias), len(weight)))
    return [form.final("Gemm", form.node.inputs[0], *constants, transB=1)]


ARITHMETIC: dict[str, Callable[[Form], list[Node]]] = {
    "BatchNormalization": _batch_normalization,
    "Clip": _clip,
    "Div": _div,
    "Gemm": _gemm,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Pow": _pow,
    "ReduceMean": _reduce_mean,
    "Softmax": _softmax,
    "Sub": _sub,
    "Sum": _sum,
}
