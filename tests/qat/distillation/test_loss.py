from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from edgeagent.qat.distillation.loss import distillation_loss
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.graph.heads import role
from edgeagent.qat.grid.affine import plan_affine_grids
from edgeagent.qat.network.network import Network
from tests.qat.models import SIZE, GraphBuilder, small_yolox


def without_objectness(path: Path) -> Path:
    """Boxes and the score of one class at two scales, as in YOLOv8."""
    g = GraphBuilder()
    x = g.node("Relu", g.conv("images", (3, 8), 3, 8))
    outputs: dict[str, tuple[int, ...]] = {}
    for feature, cells in ((x, SIZE // 8), (g.node("Relu", g.conv(x, (8, 8), 3, 2)), SIZE // 16)):
        outputs[g.conv(feature, (8, 4))] = (1, 4, cells, cells)
        outputs[g.node("Sigmoid", g.conv(feature, (8, 1)))] = (1, 1, cells, cells)
    return g.save(path, outputs)


@pytest.mark.parametrize("build", [partial(small_yolox, classes=1), without_objectness])
def test_detectors_of_one_class_are_distilled(build: Callable[[Path], Path], tmp_path: Path) -> None:
    graph = read_graph(build(tmp_path / "m.onnx"))
    network = Network(graph, plan_affine_grids(graph, None))
    with torch.no_grad():
        teacher = network(torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)))
    assert distillation_loss(graph.heads, teacher, teacher).abs() < 1e-5
    for position, head in enumerate(graph.heads):
        student = list(teacher)
        student[position] = teacher[position] + 1
        assert distillation_loss(graph.heads, student, teacher) > 1e-3, role(head, graph)
