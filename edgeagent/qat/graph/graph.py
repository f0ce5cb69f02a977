"""Float ONNX graph that is trained: reading, normalization and the cut at its heads.

::

    file -> constant folding, normal form of each operator -> channel shuffles through the batch as Gather
        -> linear operators folded into convolutions -> cut at the heads
        -> weighted operators lowered to convolutions -> checks

The graph is the model (docs/adr/0002): nodes keep their names from the source file to the artefact. All
folding is exact (docs/adr/0008). Operators after the heads (decoding, sigmoid of scores) are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx

from edgeagent.bundle.manifest import Role
from edgeagent.bundle.task import Task
from edgeagent.errors import DataError
from edgeagent.qat.graph.as_convolution import lower_weighted
from edgeagent.qat.graph.batch_norm_folding import fold_affine, lower_affine
from edgeagent.qat.graph.branches import join_branches
from edgeagent.qat.graph.channel_moves import gather_channels
from edgeagent.qat.graph.classifier_head import lower_classifier
from edgeagent.qat.graph.constant_folding import fold
from edgeagent.qat.graph.cut import (
    End,
    instance_ends,
    name_roles,
    needed,
    separate_ends,
    terminal_convolutions,
)
from edgeagent.qat.graph.draft import Draft, readers
from edgeagent.qat.graph.heads_advice import WORKING
from edgeagent.qat.graph.named_heads import NamedHead, named_heads
from edgeagent.qat.graph.node import Constant, Node, Shape
from edgeagent.qat.graph.operators import find_problems, operands
from edgeagent.qat.graph.reading import TO_CHANNELS_LAST, inputs_of, picture_of, read_model

LOWEST_OPSET = 13  # first with an axis of DequantizeLinear; normal forms need no later one


@dataclass(frozen=True)
class GraphHead:
    """Output of the integer part.

    Attributes:
        tensor: name of the tensor, usually the output of a convolution.
        shape: (1, channels, height, width).
        logits: whether the source graph makes scores of it by a sigmoid, or by a softmax for ``category``.
        role: predicted quantity.
        anchors: boxes per cell relative to anchors, by which the channels are ordered; 0 without anchors.
        used_by: operators of the source graph that compute with it, where the head is not split.
    """

    tensor: str
    shape: tuple[int, int, int, int]
    logits: bool
    role: Role | None = None
    anchors: int = 0
    used_by: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Graph:
    """Part of the source graph that is trained and deployed.

    Attributes:
        nodes: nodes in normal form, in topological order from the input to the heads.
        constants: arrays by tensor name.
        input: name of the picture tensor.
        input_shape: (1, 3, height, width).
        heads: outputs, in the order of the source graph.
        opset: version of the default operator domain.
        shapes: shapes of all computed tensors and the picture, for a batch of 1.
        after: operators of the source graph after the heads, in order.
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


def read_graph(path: Path, heads: Sequence[str] = (), task: Task = "detection") -> Graph:
    """Read a float model and cut it at its heads.

    Args:
        path: ONNX file.
        heads: names of tensors or nodes at which the integer part ends, ``NAME`` or ``ROLE=NAME``
            (:mod:`edgeagent.qat.graph.named_heads`); default: the terminal convolutions.
        task: of the model; one for ``instances`` ends in its prototypes, too.

    Raises:
        DataError: the file cannot be read, the picture's shape is dynamic, there is no convolution, a named
            head cannot be one, a weight is not finite, or operators are not supported.
    """
    model = read_model(path)
    try:
        return _cut(model, heads, task)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _cut(model: onnx.ModelProto, heads: Sequence[str], task: Task) -> Graph:
    draft = fold(model)
    gather_channels(draft)
    lower_classifier(draft)
    named = named_heads(draft, heads)
    _fold_linear(draft, frozenset(head.tensor for head in named))
    cut = [replace(head, tensor=draft.resolve(head.tensor)) for head in named]
    if not cut and task == "instances":
        cut = instance_ends(draft, [output.name for output in model.graph.output])
    cut = cut or [NamedHead(tensor) for tensor in terminal_convolutions(draft)]
    if not cut:
        raise DataError(f"no convolution or linear layer found; is this a detector or classifier? {WORKING}")
    ends = name_roles(draft, separate_ends(draft, cut))
    inside = needed(draft.nodes, {end.tensor for end in ends})
    names = {node.name for node in inside}
    after = tuple(node.operator for node in draft.nodes if node.name not in names)
    draft.nodes = inside
    picture = picture_of(model).name
    _check_inputs(draft, [item.name for item in inputs_of(model)], picture)
    lower_affine(draft)
    lower_weighted(draft)
    _part_weights(draft)
    _write_out_ranks(draft)
    _check(draft)
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


def _check_inputs(draft: Draft, inputs: Sequence[str], picture: str) -> None:
    """Refuse heads that depend on more than the picture with channels first.

    Raises:
        DataError: they depend on another input, or on a picture with channels last.
    """
    read = {name for node in draft.nodes for name in node.inputs}
    others = [name for name in inputs if name != picture and name in read]
    if others:
        raise DataError(
            f"the heads depend on the inputs {', '.join(others)} besides the picture {picture}; export the "
            "model with the picture as its only input"
        )
    if any(node.name == TO_CHANNELS_LAST for node in draft.nodes):
        raise DataError(
            "takes pictures with channels last, and changes them before it puts the channels first; export "
            "it with channels first (tf2onnx: --inputs-as-nchw NAME), without preprocessing"
        )


def _fold_linear(draft: Draft, named: frozenset[str]) -> None:
    """Fold linear operators into convolutions until nothing changes; raw predictions keep their values."""
    while True:
        kept = named | set(terminal_convolutions(draft))
        changed = fold_affine(draft, kept)
        changed |= join_branches(draft, named)
        if not changed:
            return


def _part_weights(draft: Draft) -> None:
    """Copy shared weights, so that heads that share them are trained separately."""
    taken: set[str] = set()
    for position, node in enumerate(draft.nodes):
        if node.operator != "Conv" or not taken.intersection(node.inputs[1:]):
            taken.update(node.inputs)
            continue
        if any(name not in draft.constants for name in node.inputs[1:]):
            continue  # reported by _check
        own = (draft.constant(f"{node.name}.{name}", draft.constants[name]) for name in node.inputs[1:])
        draft.nodes[position] = replace(node, inputs=(node.inputs[0], *own))


def _write_out_ranks(draft: Draft) -> None:
    """Extend constant operands to the rank of the operator's output, as converters permute both alike."""
    for position, node in enumerate(draft.nodes):
        rank = len(draft.shape(node.outputs[0]))
        inputs = list(node.inputs)
        for index, name in enumerate(operands(node)):
            value = draft.constants.get(name)
            if value is not None and value.ndim < rank:
                inputs[index] = draft.constant(name, value.reshape(*[1] * (rank - value.ndim), *value.shape))
        draft.nodes[position] = replace(node, inputs=tuple(inputs))


def _check(draft: Draft) -> None:
    """Reject a graph that cannot be trained; the message lists all problems.

    Raises:
        DataError: a node is not supported, or a weight is not finite.
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
    shape = _shape4(draft, end.tensor)
    return GraphHead(end.tensor, shape, end.logits, end.role, end.anchors, end.used_by)


def _shape4(draft: Draft, tensor: str) -> tuple[int, int, int, int]:
    shape = draft.shape(tensor)
    if len(shape) != 4:
        raise DataError(f"the shape of head {tensor} is not known ({shape}); export a static graph")
    return shape
