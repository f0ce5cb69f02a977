"""Uneven channels in two groups: no output changes, and the small ones have codes of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch

from edgeagent.engines.onnxruntime_engine import OnnxRuntimeEngine
from edgeagent.qat.export.exports import export
from edgeagent.qat.export.onnx_export import export_onnx
from edgeagent.qat.export.tflite_export import count_tflite_operators
from edgeagent.qat.graph.channel_groups import group_channels
from edgeagent.qat.graph.graph import Graph, read_graph
from edgeagent.qat.grid.affine import PIXELS, plan_affine_grids
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.calibration import observe, set_ranges
from edgeagent.qat.ptq.equalization import channel_ranges
from tests.qat.models import SIZE, GraphBuilder

CHANNELS = 24
LARGE = (3, 5, 8, 9, 14, 17, 20, 22)


def separable_net(path: Path, channels: int = CHANNELS, *, residual: bool = False) -> Path:
    """A stem with SiLU, a depthwise and a pointwise convolution, as YOLOX has them, and a head."""
    g = GraphBuilder(3)
    stem = g.silu(g.conv("images", (3, channels), 6, 2))
    g.nodes[0].attribute[2].ints[:] = [2] * 4
    x = g.silu(g.conv(stem, (channels, channels), 3, group=channels))
    x = g.silu(g.conv(x, (channels, 8)))
    if residual:
        x = g.node("Add", x, g.silu(g.conv(stem, (channels, 8))))
    head = g.conv(x, (8, 8))
    return g.save(path, {head: (1, 8, SIZE // 2, SIZE // 2)})


def uneven(graph: Graph) -> Graph:
    """The graph with some channels of the stem a hundred times as large, made up for next."""
    stem, depthwise = [node for node in graph.nodes if node.operator == "Conv"][:2]
    constants = dict(graph.constants)
    for node, factor in ((stem, 100), (depthwise, 0.01)):
        weight = constants[node.inputs[1]].copy()
        weight[list(LARGE)] *= factor
        constants[node.inputs[1]] = weight
    return replace(graph, constants=constants)


def pictures() -> torch.Tensor:
    return torch.rand(4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def network_of(graph: Graph) -> Network:
    return Network(graph, plan_affine_grids(graph, None))


def grouped(graph: Graph) -> Graph:
    return group_channels(graph, channel_ranges(network_of(graph), pictures()))


@torch.no_grad()
def heads(network: Network) -> torch.Tensor:
    return torch.cat([head.flatten() for head in network(pictures())])


def calibrated(graph: Graph, pixels: tuple[float, int] | None = None) -> Network:
    network = Network(graph, plan_affine_grids(graph, pixels))
    seen = pictures() if pixels is None else (pictures() * 255).round()
    set_ranges(network, observe(network, [seen]), "minmax")
    network.set_mode("quantize")
    return network


def test_the_output_stays_and_rounding_costs_less(tmp_path: Path) -> None:
    graph = uneven(read_graph(separable_net(tmp_path / "m.onnx")))
    new = grouped(graph)
    joins = [node for node in new.nodes if node.operator == "Concat"]
    assert len(joins) == 1
    sizes = [new.constants[node.inputs[1]].shape for node in new.nodes if node.operator == "Conv"]
    assert sizes == [
        (8, 3, 6, 6),
        (8, 1, 3, 3),
        (16, 3, 6, 6),
        (16, 1, 3, 3),
        (8, 24, 1, 1),
        (8, 8, 1, 1),
    ]
    plain = network_of(graph)
    plain.set_mode("float")
    wanted = heads(plain)
    other = network_of(new)
    other.set_mode("float")
    assert torch.allclose(heads(other), wanted, atol=1e-4 * float(wanted.abs().max()))
    before, after = (float((heads(calibrated(one)) - wanted).square().mean()) for one in (graph, new))
    assert after < before / 4
    assert set(new.constants) == {name for node in new.nodes for name in node.inputs} & set(new.constants)


def test_even_channels_and_few_of_them_stay_together(tmp_path: Path) -> None:
    even = read_graph(separable_net(tmp_path / "even.onnx"))
    stem = next(node for node in even.nodes if node.operator == "Conv")
    assert group_channels(even, {stem.name: np.linspace(1, 15, CHANNELS)}) is even
    few = read_graph(separable_net(tmp_path / "few.onnx", 15))
    stem = next(node for node in few.nodes if node.operator == "Conv")
    assert group_channels(few, {stem.name: np.geomspace(1, 1000, 15)}) is few


def test_what_others_read_too_stays_together(tmp_path: Path) -> None:
    graph = uneven(read_graph(separable_net(tmp_path / "m.onnx", residual=True)))
    assert grouped(graph) is graph


def test_dead_channels_need_no_codes(tmp_path: Path) -> None:
    graph = read_graph(separable_net(tmp_path / "m.onnx"))
    stem = next(node for node in graph.nodes if node.operator == "Conv")
    assert group_channels(graph, {stem.name: np.where(np.arange(CHANNELS) % 2, 1.0, 0.0)}) is graph
    ranges = np.zeros(CHANNELS)
    ranges[:12] = np.geomspace(100, 1, 12)
    new = group_channels(graph, {stem.name: ranges})
    sizes = [len(new.constants[node.inputs[1]]) for node in new.nodes if node.name.startswith("Conv.0/")]
    assert sizes == [8, 16], "the dead ones go with the small ones"


def test_the_engine_computes_the_network(tmp_path: Path) -> None:
    network = calibrated(grouped(uneven(read_graph(separable_net(tmp_path / "m.onnx")))), PIXELS)
    export_onnx(network, tmp_path / "q.onnx")
    engine = OnnxRuntimeEngine(tmp_path / "q.onnx", threads=1)
    picture = np.random.default_rng(1).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)
    outputs = [spec.allocate() for spec in engine.outputs]
    engine.infer([picture], outputs)
    with torch.no_grad():
        (wanted,) = network(torch.from_numpy(picture.transpose(0, 3, 1, 2).astype(np.float32)))
    grid = network.grids[network.plan.of[network.graph.heads[0].tensor]]
    step, _ = cast(ActivationGrid, grid).quantization()
    assert (np.abs(outputs[0] - wanted.numpy()) / step).mean() < 1.0


def test_the_folded_picture_is_shared_by_the_groups(tmp_path: Path) -> None:
    network = calibrated(grouped(uneven(read_graph(separable_net(tmp_path / "m.onnx")))))
    exported = export(network, tmp_path, "tflite")
    counts = count_tflite_operators(exported.path.read_bytes()).integer
    assert (counts["SPACE_TO_DEPTH"], counts["CONV_2D"], counts["CONCATENATION"]) == (1, 4, 1)
