"""A real detector full of channel shuffles, all of a stage on one grid."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch.utils.data import DataLoader

from edgeagent.bundle.model_description import describe_model
from edgeagent.qat.export.exports import export
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.grid.planning import plan_grids
from edgeagent.qat.network.network import Network
from edgeagent.qat.parity.layer_parity import compare_layers
from edgeagent.qat.pictures.finding import find_pictures
from edgeagent.qat.pictures.fitted import Fitted
from edgeagent.qat.ptq.calibration import observe, set_ranges
from tests.data import shared

DESCRIPTION = Path(__file__).parents[3] / "models" / "nanodet-m.yaml"


@pytest.mark.data
def test_every_layer_of_nanodet_that_computes_is_compared_in_tflite(tmp_path: Path) -> None:
    model = shared("models", "nanodet_m_416.onnx")
    pictures = find_pictures([shared("data", "coco", "images", "train")])[:8]
    spec = describe_model(model, DESCRIPTION, None).input
    graph = read_graph(model)
    network = Network(graph, plan_grids(graph, spec, "affine"))
    set_ranges(network, observe(network, DataLoader(Fitted(pictures, spec), batch_size=4)), "minmax")
    network.set_mode("quantize")
    (tflite,) = compare_layers(network, spec, pictures[:1], [export(network, tmp_path, "tflite")])
    assert tflite.broken is None
    operators = {name: node.operator for node in graph.nodes for name in node.outputs}
    left_out = {operators.get(name, "picture") for name in tflite.not_compared}
    assert left_out == {"picture", "Reshape", "Transpose", "Slice"}
    assert sum(layer.operator == "Concat" for layer in tflite.layers) == 16
