"""Corrections of calibrated networks, layer after layer."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from edgeagent.qat.export.onnx_export import export_onnx
from edgeagent.qat.export.operator_counts import count_operators
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.grid.affine import PIXELS, plan_affine_grids
from edgeagent.qat.grid.symmetric import plan_symmetric_grids
from edgeagent.qat.network.fake_quantize import Convolution
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.bias_correction import correct, set_parameters
from edgeagent.qat.ptq.calibration import observe, set_ranges
from edgeagent.qat.ptq.layerwise import walk
from edgeagent.qat.ptq.least_squares import fit_weights
from tests.qat.models import SIZE, small_relu_net, small_yolox

BUILDS = [small_yolox, small_relu_net]


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    """Pictures with few details, so that neighbouring values are alike as in photographs."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 8, 8, generator=random) * 255
    return torch.nn.functional.interpolate(coarse, size=(SIZE, SIZE), mode="bilinear").round()


def calibrated(path: Path, symmetric: bool = False) -> Network:
    graph = read_graph(path)
    plan = plan_symmetric_grids(graph) if symmetric else plan_affine_grids(graph, PIXELS)
    network = Network(graph, plan)
    set_ranges(network, observe(network, [pictures(8)]), "mse")
    network.set_mode("quantize")
    return network


@torch.no_grad()
def head_error(network: Network, reference: Network) -> float:
    """Mean squared error of all heads on new pictures, each in units of its variance."""
    network.set_mode("quantize")
    reference.set_mode("float")
    new = pictures(6, seed=9)
    pairs = zip(network(new), reference(new), strict=True)
    return sum(float((got - wanted).square().mean() / wanted.var()) for got, wanted in pairs)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("build", BUILDS)
def test_a_walk_gives_both_networks_answers(
    build: Callable[[Path], Path], symmetric: bool, tmp_path: Path
) -> None:
    network = calibrated(build(tmp_path / "m.onnx"), symmetric)
    visited: list[str] = []
    heads = walk(network, pictures(2), lambda layer: visited.append(layer.node.name))
    assert visited == [node.name for node in network.graph.nodes if node.operator == "Conv"]
    with torch.no_grad():
        rounded = network(pictures(2))
        network.set_mode("float")
        real = network(pictures(2))
    for got, wanted in ((heads.real, real), (heads.rounded, rounded)):
        assert all(torch.equal(a, b) for a, b in zip(got, wanted, strict=True))


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("weights", [False, True])
def test_new_pictures_come_out_closer_to_float(
    build: Callable[[Path], Path], weights: bool, symmetric: bool, tmp_path: Path
) -> None:
    network = calibrated(build(tmp_path / "m.onnx"), symmetric)
    reference = copy.deepcopy(network)
    before = head_error(network, reference)
    corrections = correct(network, pictures(9), weights)
    assert head_error(network, reference) < before * (1.0 if weights else 1.05)
    assert all(item.error_after <= item.error_before for item in corrections)
    assert sum(item.channels for item in corrections) > 0


def test_a_layer_that_nothing_helps_is_left_as_it_is(tmp_path: Path) -> None:
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    corrections = correct(network, pictures(9))
    untouched = [item for item in corrections if item.channels == 0]
    for item in untouched:
        assert item.error_after == item.error_before
    for name, value in network.state_dict().items():
        if "log_scale" in name or "zero_point" in name or "weight_share" in name:
            assert torch.allclose(value, weights[name], rtol=1e-6), name


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_least_squares_finds_the_weights_that_made_the_output(groups: int, tmp_path: Path) -> None:
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(8, 8 // groups, 3, 3, generator=random)
    bias = torch.randn(8, generator=random)
    options = {"stride": (2, 2), "dilation": (1, 1), "groups": groups, "pads": (1, 1, 1, 1)}
    module = Convolution(weight.clone(), bias.clone(), options)
    x = torch.randn(4, 8, 24, 24, generator=random)
    with torch.no_grad():
        wanted = module(x)
        found, found_bias = fit_weights(
            module, weight + 0.3, bias - 1, x, wanted, torch.rand(wanted.shape, generator=random)
        )
    assert float((found - weight).abs().max()) < 0.03
    assert found_bias is not None
    assert float((found_bias - bias).abs().max()) < 0.03


def test_a_corrected_network_is_exported_to_integers(tmp_path: Path) -> None:
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    correct(network, pictures(6), weights=True)
    export_onnx(network, tmp_path / "q.onnx")
    assert count_operators(tmp_path / "q.onnx").integer["QLinearConv"] == len(network.convolutions)


def test_parameters_are_what_was_set(tmp_path: Path) -> None:
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    module = network.convolution(next(n for n in network.graph.nodes if n.operator == "Conv"))
    bias = module.bias()
    assert bias is not None
    wanted = (module.weight().detach() * 2, bias.detach() + 1)
    set_parameters(module, *wanted)
    got = module.bias()
    assert got is not None
    np.testing.assert_allclose(module.weight().detach(), wanted[0], rtol=1e-6)
    np.testing.assert_allclose(got.detach(), wanted[1], rtol=1e-5)
