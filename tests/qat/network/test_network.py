"""The torch module computes what ONNX Runtime computes, in float and on the grid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from edgeagent.errors import DataError
from edgeagent.qat.graph.graph import Graph, read_graph
from edgeagent.qat.grid.affine import PIXELS, plan_affine_grids
from edgeagent.qat.network.network import Network
from tests.qat.models import SIZE, GraphBuilder, small_relu_net, small_yolox


def run_heads(path: Path, graph: Graph, pictures: np.ndarray) -> list[np.ndarray]:
    """Run the source file with its head tensors as additional outputs."""
    import onnx

    model = onnx.load(str(path))
    names = [head.tensor for head in graph.heads]
    present = {item.name for item in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in present)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs: list[np.ndarray] = session.run(names, {"images": pictures})
    return outputs


@pytest.mark.parametrize("build", [small_yolox, small_relu_net])
def test_float_run_equals_onnxruntime(build: Callable[[Path], Path], tmp_path: Path) -> None:
    path = build(tmp_path / "m.onnx")
    graph = read_graph(path)
    network = Network(graph, plan_affine_grids(graph, None))
    pictures = np.random.default_rng(0).random((1, 3, SIZE, SIZE), np.float32)
    heads = network(torch.from_numpy(pictures))
    for got, wanted in zip(heads, run_heads(path, graph, pictures), strict=True):
        np.testing.assert_allclose(got.detach().numpy(), wanted, atol=1e-4)


def test_integer_part_ends_at_the_terminal_convolutions(tmp_path: Path) -> None:
    graph = read_graph(small_yolox(tmp_path / "m.onnx"))
    assert [(head.shape[1], head.shape[2], head.logits) for head in graph.heads] == [
        (4, 8, False),
        (1, 8, True),
        (3, 8, True),
        (4, 4, False),
        (1, 4, True),
        (3, 4, True),
    ]


def test_old_opset_is_raised(tmp_path: Path) -> None:
    path = tmp_path / "old.onnx"
    g = GraphBuilder()
    head = g.node("Sigmoid", g.conv(g.node("Relu", g.conv("images", (3, 8), 3, 2)), (8, 2)))
    g.save(path, {head: (1, 2, 32, 32)}, opset=11)
    assert read_graph(path).opset == 13


def test_grids_are_shared_where_values_only_move(tmp_path: Path) -> None:
    graph = read_graph(small_yolox(tmp_path / "m.onnx"))
    plan = plan_affine_grids(graph, PIXELS)
    for node in graph.nodes:
        if node.operator in ("Concat", "MaxPool", "Slice", "Resize"):
            tensors = [name for name in node.inputs if name in plan.of] + list(node.outputs)
            assert len({plan.of[name] for name in tensors}) == 1, node.name
    assert plan.grids[plan.of["images"]].fixed == (1.0, 0)
    sigmoids = [node.outputs[0] for node in graph.nodes if node.operator == "Sigmoid"]
    assert sigmoids
    assert {plan.grids[plan.of[name]].fixed for name in sigmoids} == {(1 / 256, 0)}


def test_boxes_and_scores_never_share_a_grid(tmp_path: Path) -> None:
    graph = read_graph(small_yolox(tmp_path / "m.onnx"))
    plan = plan_affine_grids(graph, PIXELS)
    assert len({plan.of[head.tensor] for head in graph.heads}) == len(graph.heads)


def test_nothing_is_quantized_between_a_convolution_and_its_clamp(tmp_path: Path) -> None:
    graph = read_graph(small_relu_net(tmp_path / "m.onnx"))
    plan = plan_affine_grids(graph, None)
    for node in graph.nodes:
        if node.operator in ("Relu", "Clip"):
            assert node.inputs[0] not in plan.of
            assert node.outputs[0] in plan.of


def test_unsupported_operators_are_named_with_their_nodes(tmp_path: Path) -> None:
    g = GraphBuilder()
    x = g.node("Erf", g.node("Sinh", g.conv("images", (3, 8))))
    path = g.save(tmp_path / "m.onnx", {g.conv(x, (8, 2)): (1, 2, SIZE, SIZE)})
    wanted = r"operator Sinh of node Sinh\.\d+, operator Erf of node Erf\.\d+ are not supported"
    with pytest.raises(DataError, match=wanted):
        read_graph(path)
