"""Heads that predict boxes and scores together are taken apart, exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from edgeagent.engines.onnxruntime_engine import OnnxRuntimeEngine
from edgeagent.qat.export.exports import export, export_reference
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.grid.affine import plan_affine_grids
from edgeagent.qat.network.network import Network
from tests.data import shared
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import SIZE, small_nanodet


@pytest.mark.parametrize("sizes", [(3, 8), None])
def test_the_parts_compute_what_the_whole_did(sizes: tuple[int, int] | None, tmp_path: Path) -> None:
    path = small_nanodet(tmp_path / "m.onnx", sizes)
    graph = read_graph(path)
    picture = np.random.default_rng(0).uniform(0, 1, (1, 3, SIZE, SIZE)).astype(np.float32)
    with torch.no_grad():
        heads = [
            head.numpy() for head in Network(graph, plan_affine_grids(graph, None))(torch.from_numpy(picture))
        ]
    wanted = onnxruntime.InferenceSession(str(path)).run(None, {"images": picture})
    assert len(heads) == len(wanted) == 4
    for head, found, expected in zip(graph.heads, heads, wanted, strict=True):
        real = 1 / (1 + np.exp(-found)) if head.logits else found
        np.testing.assert_allclose(real.reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)


def test_scores_and_distances_get_grids_of_their_own(tmp_path: Path) -> None:
    graph = read_graph(small_nanodet(tmp_path / "m.onnx"))
    plan = plan_affine_grids(graph, None)
    assert [head.logits for head in graph.heads] == [True, False, True, False]
    assert len({plan.of[head.tensor] for head in graph.heads}) == 4


def test_the_artefact_has_a_role_for_each_part(tmp_path: Path) -> None:
    exported = export(calibrated(small_nanodet(tmp_path / "m.onnx")), tmp_path, "onnx")
    assert [(item.role, item.stride) for item in exported.outputs] == [
        ("classes", 8),
        ("box", 8),
        ("classes", 16),
        ("box", 16),
    ]
    assert exported.operators.integer["QLinearConv"] == 7


def test_the_float_reference_is_the_graph_up_to_its_heads(tmp_path: Path) -> None:
    graph = read_graph(small_nanodet(tmp_path / "m.onnx"))
    reference = export_reference(graph, tmp_path)
    engine = OnnxRuntimeEngine(reference.path, 1)
    outputs = [spec.allocate() for spec in engine.outputs]
    picture = np.random.default_rng(0).uniform(0, 1, (1, 3, SIZE, SIZE)).astype(np.float32)
    engine.infer([picture], outputs)
    with torch.no_grad():
        heads = Network(graph, plan_affine_grids(graph, None))(torch.from_numpy(picture))
    assert [item.name for item in reference.outputs] == [head.tensor for head in graph.heads]
    for found, wanted in zip(outputs, heads, strict=True):
        np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.data
def test_nanodet_as_it_is_published() -> None:
    path = shared("models", "nanodet_m_416.onnx")
    graph = read_graph(path)
    assert [(head.shape[1], head.logits) for head in graph.heads] == [(80, True), (32, False)] * 3
    picture = np.random.default_rng(0).normal(0, 1, graph.input_shape).astype(np.float32)
    with torch.no_grad():
        heads = [
            head.numpy() for head in Network(graph, plan_affine_grids(graph, None))(torch.from_numpy(picture))
        ]
    session = onnxruntime.InferenceSession(str(path))
    published = session.run(None, {graph.input: picture})
    for position, head in enumerate(heads):
        scores = position % 2 == 0
        wanted = published[position // 2 if scores else 3 + position // 2][0]
        found = head[0].reshape(head.shape[1], -1).T
        np.testing.assert_allclose(1 / (1 + np.exp(-found)) if scores else found, wanted, atol=2e-4)
