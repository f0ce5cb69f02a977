"""Channel shuffles through the batch, as torch exports the original ShuffleNetV2: a Gather of channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from edgeagent.errors import DataError
from edgeagent.qat.export.onnx_export import export_onnx
from edgeagent.qat.export.operator_counts import count_operators
from edgeagent.qat.export.tflite_export import export_tflite
from edgeagent.qat.graph.graph import Graph, read_graph
from edgeagent.qat.grid.affine import PIXELS, plan_affine_grids
from edgeagent.qat.network.network import Network
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.export.test_tflite_export import steps_off
from tests.qat.models import SIZE, GraphBuilder

PICTURES = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 255


def halves_through_the_batch(x: Tensor) -> tuple[Tensor, Tensor]:
    """The shuffle of ShuffleNet-Series, FastestDet and Yolo-FastestV2: even channels, odd channels."""
    batch, channels, height, width = x.shape
    x = x.reshape(batch * channels // 2, 2, height * width).permute(1, 0, 2)
    x = x.reshape(2, -1, channels // 2, height, width)
    return x[0], x[1]


def halves_of_pairs(x: Tensor) -> tuple[Tensor, Tensor]:
    """The shuffle of torchvision and NanoDet: it stays in the picture."""
    batch, channels, height, width = x.shape
    x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2).reshape(batch, -1, height, width)
    first, second = x.chunk(2, dim=1)
    return first, second


def halves_by_steps(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[:, 0::2], x[:, 1::2]


SHUFFLES = {
    "through the batch": halves_through_the_batch,
    "pairs": halves_of_pairs,
    "steps": halves_by_steps,
}


class Blocks(nn.Module):
    """Stride-1 blocks of ShuffleNetV2 behind a stem, with a head that predicts four numbers a cell."""

    def __init__(self, shuffle: str, blocks: int = 2) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 4, 1)
        self.worked = nn.ModuleList(nn.Conv2d(8, 8, 1) for _ in range(blocks))
        self.head = nn.Conv2d(16, 4, 1)
        self.halves = SHUFFLES[shuffle]

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x / 255))
        for layer in self.worked:
            kept, other = self.halves(x)
            x = torch.cat([kept, torch.relu(layer(other))], 1)
        predicted: Tensor = self.head(x)
        return predicted


def exported(path: Path, shuffle: str) -> Path:
    torch.manual_seed(0)
    torch.onnx.export(
        Blocks(shuffle).eval(), (torch.zeros(1, 3, SIZE, SIZE),), str(path), opset_version=13, dynamo=False
    )
    return path


def network(graph: Graph) -> Network:
    return Network(graph, plan_affine_grids(graph, PIXELS))


@pytest.mark.parametrize("shuffle", SHUFFLES)
def test_the_network_computes_what_the_file_computes(shuffle: str, tmp_path: Path) -> None:
    path = exported(tmp_path / "m.onnx", shuffle)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    wanted = [session.run(None, {session.get_inputs()[0].name: one[None].numpy()})[0] for one in PICTURES]
    with torch.no_grad():
        (got,) = network(read_graph(path))(PICTURES)
    np.testing.assert_allclose(got.numpy(), np.concatenate(wanted), rtol=1e-4, atol=1e-4)


def test_a_shuffle_through_the_batch_becomes_two_gathers(tmp_path: Path) -> None:
    graph = read_graph(exported(tmp_path / "m.onnx", "through the batch"))
    gathers = [node for node in graph.nodes if node.operator == "Gather"]
    assert [graph.constants[node.inputs[1]].tolist() for node in gathers[:2]] == [
        list(range(0, 16, 2)),
        list(range(1, 16, 2)),
    ]
    assert not {"Reshape", "Transpose"} & {node.operator for node in graph.nodes}


def test_a_shuffle_through_the_batch_runs_on_integers(tmp_path: Path) -> None:
    trained = calibrated(exported(tmp_path / "m.onnx", "through the batch"))
    export_onnx(trained, tmp_path / "q.onnx")
    counts = count_operators(tmp_path / "q.onnx")
    assert counts.integer["Gather"] == 4
    assert set(counts.float) <= {"DequantizeLinear"}
    export_tflite(trained, tmp_path / "q.tflite")
    for difference in steps_off(trained, tmp_path / "q.tflite"):
        assert difference.max() < 1.1


def test_a_chain_that_moves_more_than_channels_is_refused(tmp_path: Path) -> None:
    g = GraphBuilder()
    x = g.conv("images", (3, 8), 3, 4)
    pixels = (SIZE // 4) ** 2
    turned = g.node("Transpose", g.node("Reshape", x, g.constant([8, pixels])), perm=[1, 0])
    mixed = g.node("Reshape", turned, g.constant([1, 8, SIZE // 4, SIZE // 4]))
    path = g.save(tmp_path / "m.onnx", {g.conv(mixed, (8, 4)): (1, 4, SIZE // 4, SIZE // 4)})
    with pytest.raises(DataError, match="not supported by qat"):
        read_graph(path)
