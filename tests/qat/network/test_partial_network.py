"""Partial grids made from a network on affine grids: its weights, and its grids where convolutions read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import torch

from edgeagent.bundle.manifest import InputSpec
from edgeagent.errors import DataError
from edgeagent.qat.graph.trainable import read_trainable_graph
from edgeagent.qat.grid.planning import plan_grids
from edgeagent.qat.mixed.float_units import with_float_nodes
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.network import Network
from edgeagent.qat.network.partial_network import on_partial_grids
from edgeagent.qat.ptq.bias_correction import correct
from edgeagent.qat.ptq.calibration import observe, set_ranges
from tests.qat.export.test_tensorrt_export import residual_net
from tests.qat.graph.test_hard_gates import codes, small_picodet
from tests.qat.models import SIZE, small_nanodet, small_relu_net, small_yolox

SPEC = InputSpec(width=SIZE, height=SIZE, layout="nhwc", colour="bgr")
BUILDERS = [small_yolox, small_relu_net, small_nanodet, small_picodet, residual_net]


def affine(path: Path) -> Network:
    """Return a calibrated network on affine grids, with corrected biases."""
    graph = read_trainable_graph(path)
    network = Network(graph, plan_grids(graph, SPEC, "affine"))
    set_ranges(network, observe(network, [codes()]), "mse")
    correct(network, codes(6))
    network.set_mode("quantize")
    return network


@pytest.mark.parametrize("build", BUILDERS)
def test_convolutions_read_the_same_codes(build: Callable[[Path], Path], tmp_path: Path) -> None:
    network = affine(build(tmp_path / "m.onnx"))
    made = on_partial_grids(network, SPEC)
    for node in made.graph.nodes:
        if node.operator == "Conv" and node.name not in made.plan.float_nodes:
            one, other = (
                cast(ActivationGrid, which.grids[which.plan.of[node.inputs[0]]]).quantization()
                for which in (network, made)
            )
            assert other[0] == pytest.approx(one[0])
            assert other[1] == one[1]
            assert torch.equal(made.convolution(node).weight(), network.convolution(node).weight())


@torch.no_grad()
def test_fewer_roundings_leave_less_error(tmp_path: Path) -> None:
    network = affine(small_yolox(tmp_path / "m.onnx"))
    made = on_partial_grids(network, SPEC)
    original = Network(network.graph, network.plan)
    original.set_mode("float")
    wanted = original(codes(6))
    errors = [
        sum(float((got - head).square().mean()) for got, head in zip(one(codes(6)), wanted, strict=True))
        for one in (made, network)
    ]
    assert errors[0] < errors[1]


def test_corrected_gates_are_kept(tmp_path: Path) -> None:
    network = affine(small_picodet(tmp_path / "m.onnx"))
    made = on_partial_grids(network, SPEC)
    gates = [node for node in made.graph.nodes if node.name in made.plan.float_nodes]
    assert gates
    for node in gates:
        bias, corrected = made.convolution(node).bias(), network.convolution(node).bias()
        assert bias is not None
        assert corrected is not None
        assert torch.equal(bias, corrected)


def test_only_integer_affine_networks_are_taken(tmp_path: Path) -> None:
    network = affine(small_yolox(tmp_path / "m.onnx"))
    (first, *_) = (node.name for node in network.graph.nodes if node.operator == "Conv")
    for other in (
        on_partial_grids(network, SPEC),
        with_float_nodes(network, frozenset({first})),
    ):
        with pytest.raises(DataError, match="made from affine grids"):
            on_partial_grids(other, SPEC)
