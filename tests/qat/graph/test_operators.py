"""Every supported operator, in the forms of opsets 11 to 21: torch computes what ONNX Runtime does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from hypothesis import HealthCheck, given, settings

from edgeagent.qat.graph.graph import Graph, read_graph
from edgeagent.qat.grid.affine import plan_affine_grids
from edgeagent.qat.network.network import Network
from tests.qat.operator_graphs import HEIGHT, WIDTH, operator_graphs, save

QUIET = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


def run_source(model: onnx.ModelProto, graph: Graph, pictures: np.ndarray) -> list[np.ndarray]:
    """The heads of a graph as ONNX Runtime computes them from the file."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    outputs: list[np.ndarray] = session.run([head.tensor for head in graph.heads], {graph.input: pictures})
    return outputs


@settings(max_examples=60, **QUIET)  # type: ignore[arg-type]
@given(operator_graphs())
def test_float_run_equals_onnxruntime(tmp_path: Path, model: onnx.ModelProto) -> None:
    graph = read_graph(save(model, tmp_path / "m.onnx"))
    network = Network(graph, plan_affine_grids(graph, None))
    pictures = np.random.default_rng(0).uniform(-1, 1, (2, 3, HEIGHT, WIDTH)).astype(np.float32)
    with torch.no_grad():
        both = network(torch.from_numpy(pictures))
    assert [head.logits for head in graph.heads] == [False, True]
    for position in (0, 1):
        wanted = run_source(model, graph, pictures[position : position + 1])
        for got, expected in zip(both, wanted, strict=True):
            scale = max(1.0, float(np.abs(expected).max()))
            np.testing.assert_allclose(got[position : position + 1], expected, atol=1e-4 * scale, rtol=0)
