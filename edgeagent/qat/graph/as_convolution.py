"""Lowering of weighted operators to convolutions, the only weighted operator that is trained and exported.

- Gemm is a 1 x 1 convolution of a picture of one pixel;
- a product with a constant matrix is a 1 x 1 convolution over the rows of the other operand;
- a transposed convolution with stride s is a convolution with s * s times the channels, followed by
  DepthToSpace. For the usual upsampling (2 x 2, stride 2) the number of multiplications is the same.

All are exact. ONNX Runtime computes no transposed convolution on integers; Gemm and MatMul are rare in
detectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeagent.errors import DataError
from edgeagent.qat.graph.draft import Draft
from edgeagent.qat.graph.node import Constant, Node, Shape, unsupported

POINT = {"kernel_shape": [1, 1], "strides": [1, 1], "dilations": [1, 1], "pads": [0, 0, 0, 0], "group": 1}


def lower_weighted(draft: Draft) -> None:
    """Replace the weighted operators of a draft that are not plain convolutions."""
    nodes: list[Node] = []
    for node in draft.nodes:
        constant = [name in draft.constants for name in node.inputs]
        try:
            if node.operator == "Gemm":
                nodes += _gemm(node, draft)
            elif node.operator == "MatMul" and constant == [False, True]:
                nodes += _rows_times_matrix(node, draft)
            elif node.operator == "MatMul" and constant == [True, False]:
                nodes += _matrix_times_columns(node, draft)
            elif node.operator == "ConvTranspose":
                nodes += _transposed(node, draft)
            else:
                nodes.append(node)
        except DataError as error:
            draft.problems[node.name] = str(error)
            nodes.append(node)
    draft.nodes = nodes


class _Steps:
    """Chain of nodes that replaces one node; each reads the output of the one before."""

    def __init__(self, node: Node, draft: Draft) -> None:
        self._node, self._draft, self._tensor = node, draft, ""
        self.nodes: list[Node] = []

    def start(self, tensor: str) -> None:
        self._tensor = tensor

    def add(
        self, operator: str, suffix: str, shape: Shape, constants: Sequence[str] = (), **attributes: object
    ) -> None:
        output = f"{self._node.outputs[0]}/{suffix}"
        self._draft.shapes[output] = shape
        name = self._node.name if operator == "Conv" else f"{self._node.name}/{suffix}"
        self.nodes.append(Node(name, operator, (self._tensor, *constants), (output,), dict(attributes)))
        self._tensor = output

    def reshape(self, suffix: str, shape: Shape) -> None:
        self.add(
            "Reshape", suffix, shape, (self._draft.constant(f"{self._node.name}.{suffix}", shape, np.int64),)
        )

    def done(self) -> list[Node]:
        """Return the nodes; the last writes the outputs of the replaced node."""
        last = self.nodes.pop()
        return [*self.nodes, Node(last.name, last.operator, last.inputs, self._node.outputs, last.attributes)]


def _point(draft: Draft, node: Node, weight: Constant) -> str:
    return draft.constant(f"{node.name}.weight", weight[:, :, None, None])


def _gemm(node: Node, draft: Draft) -> list[Node]:
    weight = draft.constants[node.inputs[1]]
    outputs, inputs = weight.shape
    steps = _Steps(node, draft)
    steps.start(node.inputs[0])
    steps.reshape("pixel", (1, inputs, 1, 1))
    steps.add("Conv", "sum", (1, outputs, 1, 1), (_point(draft, node, weight), node.inputs[2]), **POINT)
    steps.reshape("row", (1, outputs))
    return steps.done()


def _rows_times_matrix(node: Node, draft: Draft) -> list[Node]:
    weight, shape = draft.constants[node.inputs[1]], draft.shape(node.inputs[0])
    if weight.ndim != 2 or len(shape) < 2:
        raise unsupported(node, f"a constant of shape {weight.shape}")
    inputs, outputs = weight.shape
    rows = int(np.prod(shape[1:-1]))
    steps = _Steps(node, draft)
    steps.start(node.inputs[0])
    steps.reshape("rows", (1, rows, inputs))
    steps.add("Transpose", "columns", (1, inputs, rows), perm=[0, 2, 1])
    steps.reshape("pixels", (1, inputs, rows, 1))
    steps.add("Conv", "sum", (1, outputs, rows, 1), (_point(draft, node, weight.T),), **POINT)
    steps.reshape("sums", (1, outputs, rows))
    steps.add("Transpose", "results", (1, rows, outputs), perm=[0, 2, 1])
    steps.reshape("shape", (*shape[:-1], outputs))
    return steps.done()


def _matrix_times_columns(node: Node, draft: Draft) -> list[Node]:
    weight, shape = draft.constants[node.inputs[0]], draft.shape(node.inputs[1])
    if weight.ndim != 2 or len(shape) != 3:
        raise unsupported(node, f"a constant of shape {weight.shape} with an operand of shape {shape}")
    outputs, inputs = weight.shape
    steps = _Steps(node, draft)
    steps.start(node.inputs[1])
    steps.reshape("pixels", (1, inputs, shape[2], 1))
    steps.add("Conv", "sum", (1, outputs, shape[2], 1), (_point(draft, node, weight),), **POINT)
    steps.reshape("shape", (1, outputs, shape[2]))
    return steps.done()


def _transposed(node: Node, draft: Draft) -> list[Node]:
    """Return the nodes of a transposed convolution.

    Output s * q + r along an axis, before pads are cut, is the sum of input q - m times weight r + s * m.
    """
    options, stride = node.attributes, node.attributes["strides"][0]
    if options["strides"] != [stride, stride] or options["dilations"] != [1, 1]:
        raise unsupported(node, "a dilation, or strides that differ,")
    kernels, reach = _phases(_outputs_first(draft.constants[node.inputs[1]], options["group"]), stride)
    constants = [draft.constant(f"{node.name}.weight", kernels)]
    if len(node.inputs) > 2:
        bias = draft.constants[node.inputs[2]].repeat(stride**2)
        constants.append(draft.constant(f"{node.name}.bias", bias))
    size, wanted = draft.shape(node.inputs[0])[2:], draft.shape(node.outputs[0])[2:]
    axes = [
        _Axis.fit(*numbers, stride) for numbers in zip(size, wanted, reach, options["pads"][:2], strict=True)
    ]
    pads = [axis.before for axis in axes] + [axis.after for axis in axes]
    window = POINT | {"kernel_shape": reach, "pads": pads, "group": options["group"]}
    rows, columns = (axis.steps for axis in axes)
    steps = _Steps(node, draft)
    steps.start(node.inputs[0])
    steps.add("Conv", "phases", (1, len(kernels), rows, columns), constants, **window)
    outputs = len(kernels) // stride**2
    if stride > 1:
        shape = (1, outputs, rows * stride, columns * stride)
        steps.add("DepthToSpace", "interleaved", shape, blocksize=stride, mode=b"CRD")
    firsts = [axis.first for axis in axes]
    lasts = [first + last for first, last in zip(firsts, wanted, strict=True)]
    if any(firsts) or lasts != [rows * stride, columns * stride]:
        limits = {"starts": firsts, "ends": lasts, "axes": [2, 3], "steps": [1, 1]}
        names = [draft.constant(f"{node.name}.{k}", v, np.int64) for k, v in limits.items()]
        steps.add("Slice", "cut", (1, outputs, *wanted), names)
    return steps.done()


def _phases(weight: Constant, stride: int) -> tuple[Constant, list[int]]:
    """Return kernels (outputs * s * s, inputs, rows, columns) of all outputs and phases, and their size."""
    outputs, inputs, *kernel = weight.shape
    reach = [-(-size // stride) for size in kernel]
    whole = np.zeros((outputs, inputs, reach[0] * stride, reach[1] * stride), np.float32)
    whole[:, :, : kernel[0], : kernel[1]] = weight
    places = whole.reshape(outputs, inputs, reach[0], stride, reach[1], stride)[:, :, ::-1, :, ::-1, :]
    return places.transpose(0, 3, 5, 1, 2, 4).reshape(outputs * stride**2, inputs, *reach), reach


@dataclass(frozen=True)
class _Axis:
    """One axis of a transposed convolution: pads and steps of the convolution, first output kept."""

    before: int
    after: int
    steps: int
    first: int

    @classmethod
    def fit(cls, size: int, wanted: int, reach: int, pad: int, stride: int) -> _Axis:
        skipped = min(pad // stride, reach - 1)
        before, first = reach - 1 - skipped, pad - stride * skipped
        after = max(0, -(-(first + wanted) // stride) - size - before + reach - 1)
        return cls(before, after, size + before + after - reach + 1, first)


def _outputs_first(weight: Constant, groups: int) -> Constant:
    """Return a weight (inputs, outputs / groups, ...) rearranged to (outputs, inputs / groups, ...)."""
    inputs, part, *kernel = weight.shape
    grouped = weight.reshape(groups, inputs // groups, part, *kernel).swapaxes(1, 2)
    result: Constant = grouped.reshape(groups * part, inputs // groups, *kernel)
    return result
