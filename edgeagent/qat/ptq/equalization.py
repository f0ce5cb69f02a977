"""Cross-layer equalization: channels of different ranges are scaled to similar ranges, in the float graph.

Nagel et al. 2019 (arXiv:1906.04721): if only positively homogeneous operators lie between a convolution and
its readers, dividing one of its output channels by s > 0 and multiplying the readers' weights of that channel
by s changes no output. Weights have a scale per output channel here, so the producer's weights do not change
their resolution; the tensor between them, which has one grid for all channels, gains, and the readers'
weights may lose. The factor of a channel is therefore

- its range, where all readers are depthwise (their weights have a scale per channel): every channel then
  fills the grid;
- otherwise the root of its range over the root of its share in the readers' weights.

Equalization is not exact for SiLU, sigmoid and others that are not homogeneous, nor through Clip with
an upper bound; such pairs are not scaled. YOLOX-nano, which has only SiLU, has none; there uneven channels
are put into groups (:mod:`edgeagent.qat.graph.channel_groups`). HardSwish is x times a
gate that is a convolution here (:mod:`edgeagent.qat.graph.hard_gates`): channels of x are scaled before both
and scaled back in the gate, which leaves the gate as it was, and in the readers of the product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.hard_gates import hard_swish_offsets
from edgeagent.qat.graph.node import Constant, Node
from edgeagent.qat.graph.onnx_model import tensor_shapes
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.channel_paths import NO_CHANNEL, ChannelReader, find_readers
from edgeagent.qat.ptq.histogram import Observed
from edgeagent.qat.ptq.layerwise import WalkedLayer, walk

Reals = npt.NDArray[np.float64]

SWEEPS = 3
LARGEST_FACTOR = 1e3


@dataclass(frozen=True)
class Equalized:
    """Equalized graph.

    Attributes:
        graph: graph with the same outputs and new weights.
        pairs: name of each scaled convolution, and names of its readers.
    """

    graph: Graph
    pairs: tuple[tuple[str, tuple[str, ...]], ...]


def equalize(graph: Graph, ranges: Mapping[str, Reals] | None = None) -> Equalized:
    """Equalize every convolution whose channels are read through homogeneous operators only.

    Args:
        graph: float graph.
        ranges: ranges of each convolution's channels after its activation, from :func:`channel_ranges`;
            default: the largest weight of each channel, as in the paper.
    """
    shapes = tensor_shapes(graph)
    users = graph.consumers()
    found: list[tuple[Node, tuple[ChannelReader, ...]]] = []
    for node in graph.nodes:
        readers = find_readers(graph, node, shapes) if node.operator == "Conv" else None
        if readers and all(
            len(users[name]) == 1 for n in (node, *(r.node for r in readers)) for name in n.inputs[1:]
        ):
            found.append((node, readers))
    constants = dict(graph.constants)
    sizes = {name: array.copy() for name, array in (ranges or {}).items()}
    for _ in range(SWEEPS):
        for node, readers in found:
            size = sizes.get(node.name)
            if size is None:
                size = np.abs(constants[node.inputs[1]]).max((1, 2, 3)).astype(np.float64)
            factors = _factors(size, readers, constants)
            _scale(node, readers, factors, constants)
            if node.name in sizes:
                sizes[node.name] = size / factors
    pairs = tuple((node.name, tuple(reader.node.name for reader in readers)) for node, readers in found)
    return Equalized(replace(graph, constants=constants), pairs)


def channel_ranges(network: Network, pictures: Tensor) -> dict[str, Reals]:
    """Return the largest absolute value (channels,) after each convolution's activation, by its name.

    Args:
        network: network of the graph; only its float outputs are used.
        pictures: (pictures, 3, h, w) float32.
    """
    found: dict[str, Reals] = {}
    offsets = hard_swish_offsets(network.graph)

    def visit(layer: WalkedLayer) -> None:
        output = layer.output(layer.convolve(layer.inputs.real, "float"), "float")
        if layer.node.outputs[0] in offsets:
            least = torch.from_numpy(offsets[layer.node.outputs[0]]).reshape(1, -1, 1, 1)
            output = torch.maximum(output, least)
        found[layer.node.name] = output.abs().amax((0, 2, 3)).double().numpy()

    walk(network, pictures, visit)
    return found


def clips_to_relus(network: Network, seen: Mapping[int, Observed]) -> Graph:
    """Return the graph with Relu in place of every Clip from 0 whose upper bound calibration did not reach.

    The outputs are the same on pictures like those of the calibration, and the graph can be equalized.
    """
    graph = network.graph
    nodes = []
    for node in graph.nodes:
        index = network.plan.of.get(node.outputs[0])
        bounds = _bounds(graph, node)
        if bounds and bounds[0] == 0 and index is not None and index in seen and seen[index].high < bounds[1]:
            nodes.append(Node(node.name, "Relu", node.inputs[:1], node.outputs, {}))
        else:
            nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def _bounds(graph: Graph, node: Node) -> tuple[float, float] | None:
    if node.operator != "Clip" or not all(name in graph.constants for name in node.inputs[1:]):
        return None
    if len(node.inputs) < 3:
        return None
    low, high = (float(graph.constants[name]) for name in node.inputs[1:])
    return low, high


def _factors(size: Reals, readers: Sequence[ChannelReader], constants: Mapping[str, Constant]) -> Reals:
    """Return the divisor of each channel; the widest channel of the tensor keeps its range."""
    alive = size > 1e-9 * size.max()
    if not alive.any():
        return np.ones_like(size)
    share = np.zeros_like(size)
    for reader in readers:
        if not _is_depthwise(reader):
            read = reader.channels != NO_CHANNEL
            np.maximum.at(share, reader.channels[read], _shares(reader, constants)[read])
    balanced = np.sqrt(size / np.maximum(share, 1e-12))
    factors = np.where(share > 0, balanced, size)
    factors = np.where(alive, factors, 1.0)
    factors[alive] *= (size[alive] / factors[alive]).max() / size.max()
    limited: Reals = np.where(alive, np.clip(factors, 1 / LARGEST_FACTOR, LARGEST_FACTOR), 1.0)
    return limited


def _is_depthwise(reader: ChannelReader) -> bool:
    return bool(reader.node.attributes.get("group", 1) == len(reader.channels))


def _shares(reader: ChannelReader, constants: Mapping[str, Constant]) -> Reals:
    """Return the largest weight of each input channel, relative to the largest of the output channel."""
    weight = np.abs(np.asarray(constants[reader.node.inputs[1]], np.float64)).max((2, 3))
    weight = weight / np.maximum(weight.max(1, keepdims=True), 1e-30)
    groups = reader.node.attributes.get("group", 1)
    shares: Reals = weight.reshape(groups, -1, weight.shape[1]).max(1).reshape(-1)
    return shares


def _scale(
    node: Node, readers: Sequence[ChannelReader], factors: Reals, constants: dict[str, Constant]
) -> None:
    for name in filter(None, node.inputs[1:]):
        value = constants[name]
        down = factors.reshape(-1, *[1] * (value.ndim - 1))
        constants[name] = (value / down).astype(value.dtype)
    for reader in readers:
        weight = constants[reader.node.inputs[1]]
        up = np.where(reader.channels == NO_CHANNEL, 1.0, factors[reader.channels])
        groups = reader.node.attributes.get("group", 1)
        grouped = weight.reshape(groups, -1, *weight.shape[1:]) * up.reshape(groups, 1, -1, 1, 1)
        constants[reader.node.inputs[1]] = grouped.reshape(weight.shape).astype(weight.dtype)
