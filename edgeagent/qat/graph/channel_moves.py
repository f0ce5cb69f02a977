"""Channel shuffles through the batch, rewritten as a Gather of channels.

The channel shuffle of the original ShuffleNetV2 (https://github.com/megvii-model/ShuffleNet-Series), of
FastestDet and of Yolo-FastestV2 divides the even channels from the odd ones by way of the batch axis: Reshape
to (channels / 2, 2, pixels), Transpose to (2, channels / 2, pixels), Reshape to (2, 1, channels / 2, height,
width) and one Gather for each half. Each of these operators mixes the pictures of a batch and has no normal
form, the whole chain only selects channels of one picture. Element numbers are moved through such a chain; a
tensor in which every channel is a channel of the chain's source is computed by one Gather of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeagent.qat.graph.draft import Draft
from edgeagent.qat.graph.node import Node, Shape

Elements = npt.NDArray[np.int64]

_RESHAPES = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
_PICTURE_RANK = 4


@dataclass(frozen=True)
class _Moved:
    """Elements of a tensor by their position in the source of the chain."""

    source: str
    elements: Elements


def gather_channels(draft: Draft) -> None:
    """Replace the ends of chains that only select channels, and drop their problems.

    Args:
        draft: changed in place; nodes of a chain that nothing reads any more stay, and are not needed.
    """
    moved: dict[str, _Moved] = {}
    nodes: list[Node] = []
    for node in draft.nodes:
        before = moved.get(node.inputs[0]) if node.inputs else None
        if before is None and node.name in draft.problems:
            before = _start(draft, node)
        after = None if before is None else _elements(draft, node, before.elements)
        if before is None or after is None:
            nodes.append(node)
            continue
        moved.update(
            (name, _Moved(before.source, part)) for name, part in zip(node.outputs, after, strict=True)
        )
        selected = [_channels(part, draft.shape(before.source)) for part in after]
        if any(channels is None for channels in selected):
            nodes.append(node)
            continue
        draft.problems.pop(node.name, None)
        nodes += _gathers(draft, node, before.source, [c for c in selected if c is not None])
    draft.nodes = nodes


def _start(draft: Draft, node: Node) -> _Moved | None:
    """Return the elements of the tensor before a chain; None where it is not (1, channels, height, width)."""
    shape = draft.shape(node.inputs[0]) if node.inputs else ()
    if len(shape) != _PICTURE_RANK or shape[0] != 1:
        return None
    return _Moved(node.inputs[0], np.arange(np.prod(shape), dtype=np.int64).reshape(shape))


def _elements(draft: Draft, node: Node, given: Elements) -> list[Elements] | None:
    """Return the elements of a node's outputs; None if it does more than move them."""
    if node.operator in _RESHAPES:
        shape = draft.shape(node.outputs[0])
        return [given.reshape(shape)] if np.prod(shape, dtype=int) == given.size and shape else None
    if node.operator == "Transpose":
        return [given.transpose(node.attributes.get("perm", range(given.ndim)[::-1]))]
    axis = int(node.attributes.get("axis", 0))
    if node.operator == "Gather":
        indices = draft.constants.get(node.inputs[1])
        return None if indices is None else [given.take(indices, axis)]
    if node.operator == "Split":
        sizes = [draft.shape(name)[axis] for name in node.outputs if draft.shape(name)]
        fits = len(sizes) == len(node.outputs) and sum(sizes) == given.shape[axis]
        return list(np.split(given, np.cumsum(sizes)[:-1], axis)) if fits else None
    if node.operator == "Slice":
        return _sliced(draft, node, given)
    return None


def _sliced(draft: Draft, node: Node, given: Elements) -> list[Elements] | None:
    parameters = [draft.constants.get(name) for name in node.inputs[1:] if name]
    if len(parameters) < 2 or any(value is None for value in parameters):  # up to opset 9 they are attributes
        return None
    starts, ends, *more = [value.tolist() for value in parameters if value is not None]
    axes = more[0] if more else list(range(len(starts)))
    steps = more[1] if len(more) > 1 else [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        given = given[(slice(None),) * (axis % given.ndim) + (slice(start, end, step),)]
    return [given]


def _channels(elements: Elements, source: Shape) -> Elements | None:
    """Return the channel of the source in each channel of a tensor; None if it holds anything else."""
    if elements.ndim != _PICTURE_RANK or elements.shape[0] != 1 or elements.shape[2:] != source[2:]:
        return None
    height, width = source[2:]
    channels: Elements = elements[0, :, 0, 0] // (height * width)
    pixels = np.arange(height * width).reshape(height, width)
    whole = channels[:, None, None] * (height * width) + pixels
    return channels if np.array_equal(elements[0], whole) else None


def _gathers(draft: Draft, node: Node, source: str, selected: list[Elements]) -> Iterator[Node]:
    for position, (output, channels) in enumerate(zip(node.outputs, selected, strict=True)):
        name = node.name if len(selected) == 1 else f"{node.name}.{position}"
        indices = draft.constant(f"{output}.channels", channels, np.int64)
        yield Node(name, "Gather", (source, indices), (output,), {"axis": 1})
