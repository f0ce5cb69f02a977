"""Networks with some nodes in float, and their artefacts in real engines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch

from edgeagent.engines.loading import load_engine
from edgeagent.errors import DataError
from edgeagent.qat.export.artefact_macs import artefact_macs
from edgeagent.qat.export.deployed import build_deployed
from edgeagent.qat.export.exports import export
from edgeagent.qat.graph.macs import count_macs, integer_share
from edgeagent.qat.grid.affine import real_tensors
from edgeagent.qat.mixed.float_units import find_units, with_float_nodes
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.network import Network
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import SIZE, small_relu_net, small_yolox

Reals = npt.NDArray[np.float32]
BUILDS = [small_yolox, small_relu_net]
PICTURE = np.random.default_rng(1).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)


def mixed(path: Path, build: Callable[[Path], Path], positions: tuple[int, ...]) -> tuple[Network, list[str]]:
    """A calibrated network with some of its units in float, and the names of their convolutions."""
    network = calibrated(build(path / "m.onnx"))
    units = find_units(network.graph)
    chosen = [units[position] for position in positions]
    nodes = frozenset[str]().union(*(unit.nodes for unit in chosen))
    return with_float_nodes(network, nodes), [unit.name for unit in chosen]


@torch.no_grad()
def steps_off(network: Network, path: Path, kind: str) -> float:
    """Mean difference of the worst head between an artefact and the network, in steps of its grid."""
    engine = load_engine(path, kind, threads=1)
    (spec,) = engine.inputs
    codes = PICTURE if spec.dtype == np.uint8 else (PICTURE.astype(np.int16) - 128).astype(np.int8)
    outputs = [output.allocate() for output in engine.outputs]
    engine.infer([codes], outputs)
    got = [output.dequantize(value) for output, value in zip(engine.outputs, outputs, strict=True)]
    wanted = network(torch.from_numpy(PICTURE.transpose(0, 3, 1, 2).astype(np.float32)))
    worst = 0.0
    for head, value, expected in zip(network.graph.heads, got, wanted, strict=True):
        step, _ = cast(ActivationGrid, network.grids[network.plan.of[head.tensor]]).quantization()
        moved = value if kind == "onnx" else value.transpose(0, 3, 1, 2)
        worst = max(worst, float(np.abs(moved - expected.numpy()).mean() / step))
    return worst


def test_a_unit_is_a_convolution_with_its_activation(tmp_path: Path) -> None:
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    units = find_units(network.graph)
    by_name = {node.name: node.operator for node in network.graph.nodes}
    kinds = {tuple(sorted(by_name[name] for name in unit.nodes)) for unit in units}
    assert kinds == {("Conv", "Mul", "Sigmoid"), ("Conv",)}
    assert [unit.macs for unit in units] == list(count_macs(network.graph).values())
    assert sum(len(unit.nodes) for unit in find_units(network.graph, group=3)) == sum(
        len(unit.nodes) for unit in units
    )
    assert units[0].is_adjacent_to([units[1]])
    assert not units[0].is_adjacent_to([units[-1]])


def test_between_float_nodes_there_is_no_grid_and_at_their_border_there_is(tmp_path: Path) -> None:
    network, _ = mixed(tmp_path, small_yolox, (0, 1))
    graph, plan = network.graph, network.plan
    units = find_units(graph)
    nodes = units[0].nodes | units[1].nodes
    real = real_tensors(graph, nodes)
    assert real.isdisjoint(plan.of)
    assert units[0].writes <= real  # the second unit alone reads them
    read = {name for node in graph.nodes if node.name not in nodes for name in node.inputs}
    made = units[1].writes
    assert {name for name in made if name in plan.of} == made & read


def test_everything_in_float_is_the_float_network_up_to_its_ends(tmp_path: Path) -> None:
    network = calibrated(small_relu_net(tmp_path / "m.onnx"))
    whole = with_float_nodes(network, frozenset(node.name for node in network.graph.nodes))
    assert set(whole.plan.of) == {network.graph.input, *(head.tensor for head in network.graph.heads)}
    picture = torch.from_numpy(PICTURE.transpose(0, 3, 1, 2).astype(np.float32))
    with torch.no_grad():
        got = whole(picture)
        network.set_mode("float")
        wanted = network(picture)
    for head, value, expected in zip(network.graph.heads, got, wanted, strict=True):
        grid = cast(ActivationGrid, network.grids[network.plan.of[head.tensor]])
        assert float((value - expected).abs().mean()) < 0.6 * float(grid.quantization()[0])


def test_weights_and_grids_are_those_of_the_network(tmp_path: Path) -> None:
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    same = with_float_nodes(network, frozenset())
    assert same.state_dict().keys() == network.state_dict().keys()
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in same.state_dict().items())
    with torch.no_grad():
        picture = torch.from_numpy(PICTURE.transpose(0, 3, 1, 2).astype(np.float32))
        assert all(torch.equal(a, b) for a, b in zip(same(picture), network(picture), strict=True))


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("positions", [(0,), (1, 2), (2, -1)])
def test_onnx_runtime_computes_exactly_the_chosen_nodes_in_float(
    build: Callable[[Path], Path], positions: tuple[int, ...], tmp_path: Path
) -> None:
    network, chosen = mixed(tmp_path, build, positions)
    exported = export(network, tmp_path, "onnx")
    floating = sum(count for name, count in exported.operators.float.items() if "Conv" in name)
    assert floating == len(chosen)
    assert exported.operators.integer["QLinearConv"] == len(network.convolutions) - len(chosen)
    stored = {item.name: item for item in onnx.load(str(exported.path)).graph.initializer}
    for node in network.graph.nodes:
        if node.operator == "Conv":
            assert (node.inputs[1] in stored) == (node.name in chosen)
            assert (f"{node.inputs[1]}_q" in stored) != (node.name in chosen)
    integer, real = artefact_macs(exported.path)
    assert integer / (integer + real) == pytest.approx(integer_share(network.graph, network.plan.float_nodes))
    assert steps_off(network, exported.path, "onnx") < 0.5


def test_litert_computes_exactly_the_chosen_nodes_in_float(tmp_path: Path) -> None:
    network, chosen = mixed(tmp_path, small_yolox, (1, 2))
    exported = export(network, tmp_path, "tflite")
    kinds = ("CONV_2D", "DEPTHWISE_CONV_2D")
    assert sum(exported.operators.float.get(kind, 0) for kind in kinds) == len(chosen)
    integer = sum(exported.operators.integer.get(kind, 0) for kind in kinds)
    assert integer == len(network.convolutions) - len(chosen)
    counted, real = artefact_macs(exported.path)
    assert counted / (counted + real) == pytest.approx(integer_share(network.graph, network.plan.float_nodes))
    assert steps_off(network, exported.path, "tflite") < 0.6


@pytest.mark.parametrize("build", BUILDS)
def test_the_deployed_form_computes_what_the_network_does(
    build: Callable[[Path], Path], tmp_path: Path
) -> None:
    network, _ = mixed(tmp_path, build, (1, 3))
    picture = torch.from_numpy(PICTURE.transpose(0, 3, 1, 2).astype(np.float32))
    with torch.no_grad():
        pairs = zip(network.graph.heads, build_deployed(network)(picture), network(picture), strict=True)
    for head, got, wanted in pairs:
        grid = cast(ActivationGrid, network.grids[network.plan.of[head.tensor]])
        assert float((got - wanted).abs().mean()) < 0.2 * float(grid.quantization()[0])


def test_a_float_convolution_that_nobody_chose_is_refused(tmp_path: Path) -> None:
    network = calibrated(small_relu_net(tmp_path / "m.onnx"))
    leaky = next(node for node in network.graph.nodes if node.operator == "LeakyRelu")
    del network.plan.of[leaky.inputs[0]]  # its convolution then has no codes to give
    with pytest.raises(DataError, match="in float, expected 0"):
        export(network, tmp_path, "onnx")
