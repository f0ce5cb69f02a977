"""Normal forms of operators that move values: Reshape, Split, Slice, Gather and similar."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeagent.qat.graph.node import Node
from edgeagent.qat.graph.normal_form.form import Form


def _reshape(form: Form) -> list[Node]:
    """Write a change of shape as a Reshape to explicit sizes."""
    shape, given = form.draft.shape(form.node.outputs[0]), form.shape()
    if not shape or given[0] != 1 or shape[0] != 1:
        raise form.unsupported(f"a change of shape from {given} to {shape or 'one that is not known'}")
    return [form.final("Reshape", form.node.inputs[0], form.store("shape", shape, np.int64))]


def _split(form: Form) -> list[Node]:
    axis = form.axis(form.attribute("axis", 0))
    sizes, outputs = form.parameter("split", 1), len(form.node.outputs)
    if sizes is None:
        length = form.shape()[axis]
        size = -(-length // outputs)
        sizes = np.array([min(size, length - size * part) for part in range(outputs)], np.int64)
    return [form.final("Split", form.node.inputs[0], form.store("split", sizes, np.int64), axis=axis)]


def _slice(form: Form) -> list[Node]:
    starts, ends = form.parameter("starts", 1), form.parameter("ends", 2)
    if starts is None or ends is None:
        raise form.unsupported("a missing start or end")
    axes, steps = form.parameter("axes", 3), form.constant(4)
    axes = np.arange(len(starts)) if axes is None else axes
    steps = np.ones(len(starts), np.int64) if steps is None else steps
    shape, index = form.shape(), []
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        counted = int(axis) % len(shape)
        if step < 1:
            raise form.unsupported("a negative step")
        first, last, _ = slice(int(start), int(end)).indices(shape[counted])
        if counted == 0 and (first, last, step) == (0, 1, 1):
            continue
        index.append((first, last, form.axis(counted), int(step)))
    if not index:
        index.append((0, shape[1], 1, 1))
    columns = zip(("starts", "ends", "axes", "steps"), zip(*index, strict=True), strict=True)
    constants = [form.store(name, values, np.int64) for name, values in columns]
    return [form.final("Slice", form.node.inputs[0], *constants)]


def _gather(form: Form) -> list[Node]:
    axis = form.axis(form.attribute("axis", 0))
    indices = form.required(1) % form.shape()[axis]
    if indices.ndim > 1:
        raise form.unsupported(f"indices of shape {indices.shape}")
    return [form.final("Gather", form.node.inputs[0], form.store("indices", indices, np.int64), axis=axis)]


def _transpose(form: Form) -> list[Node]:
    rank = len(form.shape())
    order = list(form.attribute("perm", range(rank)[::-1]))
    if order[0] != 0:
        raise form.unsupported(f"the order {order}, which moves the batch,")
    return [form.final("Transpose", form.node.inputs[0], perm=order)]


def _concat(form: Form) -> list[Node]:
    if len(form.node.inputs) == 1:
        return _reshape(form)
    return [form.final("Concat", *form.node.inputs, axis=form.axis(form.attribute("axis", 1)))]


def _pad(form: Form) -> list[Node]:
    rank, mode = len(form.shape()), form.text("mode", "constant")
    pads, axes = form.parameter("pads", 1), form.constant(3)
    if pads is None or mode not in ("constant", "reflect", "edge") or min(pads) < 0:
        raise form.unsupported(f"mode {mode} with pads {None if pads is None else pads.tolist()}")
    full = np.zeros((2, rank), np.int64)
    full[:, np.arange(rank) if axes is None else axes % rank] = pads.reshape(2, -1)
    if (full[:, :-2].any() and mode != "constant") or full[:, 0].any():
        raise form.unsupported("padding of the batch or of channels")
    value = form.constant(2) if "value" not in form.node.attributes else form.attribute("value")
    constants = [form.store("pads", full.ravel(), np.int64)]
    if mode == "constant" and value is not None and np.ravel(value)[0] != 0:
        constants.append(form.store("value", np.ravel(value)[0]))
    return [form.final("Pad", form.node.inputs[0], *constants, mode=mode.encode())]


def _depth_to_space(form: Form) -> list[Node]:
    mode = form.text("mode", "DCR").encode()
    block = form.attribute("blocksize")
    return [form.final(form.node.operator, form.node.inputs[0], blocksize=block, mode=mode)]


MOVES: dict[str, Callable[[Form], list[Node]]] = {
    "Concat": _concat,
    "DepthToSpace": _depth_to_space,
    "Flatten": _reshape,
    "Gather": _gather,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _reshape,
    "Transpose": _transpose,
    "Unsqueeze": _reshape,
}
