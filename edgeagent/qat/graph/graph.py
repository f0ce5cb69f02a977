"""The float ONNX graph that is trained: read, made uniform, and cut at its heads.

::

    file -> constants folded, each operator in its normal form -> linear neighbours folded into convolutions
        -> cut at the heads -> every weighted operator a convolution -> checked

The graph is the model (docs/adr/0002): nodes keep their names from the source file to the artefact. What
is folded on the way is exact (docs/adr/0008). What follows the heads (decoding, sigmoid of scores) stays
outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx

from edgeagent.errors import DataError
from edgeagent.qat.graph.affine import fold_affine, lower_affine
from edgeagent.qat.graph.as_convolution import lower_weighted
from edgeagent.qat.graph.branches import join_branches
from edgeagent.qat.graph.cut import (
    End,
    named_ends,
    needed,
    separate_ends,
    terminal_convolutions,
)
from edgeagent.qat.graph.draft import Draft, readers
from edgeagent.qat.graph.folding import fold
from edgeagent.qat.graph.node import Constant, Node, Shape
from edgeagent.qat.graph.operators import find_problems, operands
from edgeagent.qat.graph.reading import picture_of, read_model

LOWEST_OPSET = 13  # DequantizeLinear has had an axis since opset 13; normal forms need no more


@dataclass(frozen=True)
class GraphHead:
    """One output of the integer part.

    Attributes:
        tensor: name of the tensor, as a rule the output of a convolution.
        shape: (1, channels, height, width).
        logits: whether the source graph applies a sigmoid to it.
    """

    tensor: str
    shape: tuple[int, int, int, int]
    logits: bool


@dataclass(frozen=True)
class Graph:
    """The part of the source graph that is trained and deployed.

    Attributes:
        nodes: in topological order, from the input to the heads, in their normal forms.
        constants: arrays by tensor name.
        input: name of the picture tensor.
        input_shape: (1, 3, height, width).
        heads: in the order of the source graph.
        opset: of the default operator domain.
        shapes: of all computed tensors and the picture, with a batch of 1.
        after: operators of the source behind the heads, in order.
    """

    nodes: tuple[Node, ...]
    constants: dict[str, Constant]
    input: str
    input_shape: tuple[int, int, int, int]
    heads: tuple[GraphHead, ...]
    opset: int
    shapes: dict[str, Shape] = field(default_factory=dict)
    after: tuple[str, ...] = ()

    def consumers(self) -> dict[str, list[Node]]:
        """Return the nodes that read each tensor."""
        return readers(self.nodes)


def read_graph(path: Path, heads: Sequence[str] = ()) -> Graph:
    """Read a float detector and cut it at its heads.

    Args:
        path: ONNX file.
        heads: tensors or nodes at which the integer part ends; without them, the terminal convolutions.

    Raises:
        DataError: the file cannot be read, its picture's shape is dynamic, it has no convolution, a named
        head cannot be one, a weight is not a number, or operators are not supported.
    """
    model = read_model(path)
    try:
        return _cut(model, heads)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _cut(model: onnx.ModelProto, heads: Sequence[str]) -> Graph:
    draft = fold(model)
    named = named_ends(draft, heads)
    _fold_linear(draft, frozenset(named))
    tensors = [draft.resolve(tensor) for tensor in named] or terminal_convolutions(draft)
    if not tensors:
        raise DataError("no convolution found; is this a detector?")
    ends = separate_ends(draft, tensors)
    inside = needed(draft.nodes, {end.tensor for end in ends})
    names = {node.name for node in inside}
    after = tuple(node.operator for node in draft.nodes if node.name not in names)
    draft.nodes = inside
    lower_affine(draft)
    lower_weighted(draft)
    _part_weights(draft)
    _write_out_ranks(draft)
    _check(draft)
    picture = picture_of(model).name
    used = {name for node in draft.nodes for name in node.inputs}
    computed = {picture, *(name for node in draft.nodes for name in node.outputs)}
    return Graph(
        nodes=tuple(draft.nodes),
        constants={name: array for name, array in draft.constants.items() if name in used},
        input=picture,
        input_shape=_shape4(draft, picture),
        heads=tuple(_head(draft, end) for end in ends),
        opset=LOWEST_OPSET,
        shapes={name: shape for name, shape in draft.shapes.items() if name in computed},
        after=after,
    )


def _fold_linear(draft: Draft, named: frozenset[str]) -> None:
    """Fold what is linear into convolutions until nothing changes; raw predictions stay what they are."""
    while True:
        kept = named | set(terminal_convolutions(draft))
        changed = fold_affine(draft, kept)
        changed |= join_branches(draft, named)
        if not changed:
            return


def _part_weights(draft: Draft) -> None:
    """Give each convolution weights of its own: heads that share them are trained each for itself."""
    taken: set[str] = set()
    for position, node in enumerate(draft.nodes):
        if node.operator != "Conv" or not taken.intersection(node.inputs[1:]):
            taken.update(node.inputs)
            continue
        if any(name not in draft.constants for name in node.inputs[1:]):
            continue  # refused by the check
        own = (draft.constant(f"{node.name}.{name}", draft.constants[name]) for name in node.inputs[1:])
        draft.nodes[position] = replace(node, inputs=(node.inputs[0], *own))


def _write_out_ranks(draft: Draft) -> None:
    """Give constant operands as many dimensions as the operator's output: converters permute them alike."""
    for position, node in enumerate(draft.nodes):
        rank = len(draft.shape(node.outputs[0]))
        inputs = list(node.inputs)
        for index, name in enumerate(operands(node)):
            value = draft.constants.get(name)
            if value is not None and value.ndim < rank:
                inputs[index] = draft.constant(name, value.reshape(*[1] * (rank - value.ndim), *value.shape))
        draft.nodes[position] = replace(node, inputs=tuple(inputs))


def _check(draft: Draft) -> None:
    """Refuse what cannot be trained, naming all of it.

    Raises:
        DataError: of the nodes, some are not supported, or weights are not numbers.
    """
    problems = [draft.problems[node.name] for node in draft.nodes if node.name in draft.problems]
    fine = [node for node in draft.nodes if node.name not in draft.problems]
    problems += find_problems(fine, draft.constants)
    if problems:
        raise DataError("; ".join(dict.fromkeys(problems)))
    broken = [
        name
        for name in dict.fromkeys(name for node in draft.nodes for name in node.inputs)
        if name in draft.constants and not np.isfinite(draft.constants[name]).all()
    ]
    if broken:
        raise DataError(f"NaN or infinity in {', '.join(broken)}; the training of this model went wrong")
    for node in draft.nodes:
        for tensor in node.outputs:
            if draft.shape(tensor)[:1] not in ((1,), ()):
                raise DataError(f"node {node.name} ({node.operator}) mixes the pictures of a batch")


def _head(draft: Draft, end: End) -> GraphHead:
    return GraphHead(end.tensor, _shape4(draft, end.tensor), end.logits)


def _shape4(draft: Draft, tensor: str) -> tuple[int, int, int, int]:
    shape = draft.shape(tensor)
    if len(shape) != 4:
        raise DataError(f"the shape of head {tensor} is not known ({shape}); export a static graph")
    return shape
