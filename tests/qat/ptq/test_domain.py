"""Pictures of another domain, by the activations that they cause."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import Tensor

from edgeagent.qat.factory.calibration_remarks import describe_domain
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.grid.affine import PIXELS, plan_affine_grids
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.domain import width_ratio
from tests.qat.models import small_nanodet
from tests.qat.ptq.test_search import Pictures


@pytest.fixture
def network(tmp_path: Path) -> Network:
    graph = read_graph(small_nanodet(tmp_path / "m.onnx"))
    return Network(graph, plan_affine_grids(graph, PIXELS))


def half(first: int, factor: float = 1.0) -> list[Tensor]:
    pictures = Pictures(16)
    return [pictures[position][None] * factor for position in range(first, 16, 2)]


def test_pictures_of_one_kind_are_alike(network: Network) -> None:
    assert describe_domain(width_ratio(network, half(0), half(1))) == []


@pytest.mark.parametrize("factor", [0.2, 5.0])
def test_much_darker_or_brighter_pictures_are_not(network: Network, factor: float) -> None:
    ratio = width_ratio(network, half(0), half(1, factor))
    assert ratio < 0.5 if factor < 1 else ratio > 2
    (line,) = describe_domain(ratio)
    assert f"their activations are {ratio:.1f} times as wide" in line
    assert "--calibrate" in line
