"""Ranges chosen from what was observed."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgeagent.errors import DataError
from edgeagent.qat.distillation.loss import distillation_loss
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.graph.heads import bins
from edgeagent.qat.grid.affine import PIXELS, plan_affine_grids
from edgeagent.qat.grid.symmetric import plan_symmetric_grids
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.kernels import Kernels
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.calibration import (
    METHODS,
    Method,
    choose_range,
    observe,
    set_best_ranges,
    set_ranges,
)
from edgeagent.qat.ptq.histogram import Observed
from edgeagent.qat.ptq.importance import curvature, observe_weighted
from edgeagent.qat.ptq.range_search import error as histogram_error
from tests.qat.models import SIZE, GraphBuilder, small_nanodet, small_yolox

Samples = npt.NDArray[np.float32]
RANDOM = np.random.default_rng(0)
SHAPES: dict[str, Callable[[], Samples]] = {
    "normal": lambda: RANDOM.normal(0, 1, 4000).astype(np.float32),
    "heavy tails": lambda: RANDOM.standard_t(2, 4000).astype(np.float32),
    "after a relu": lambda: np.maximum(RANDOM.normal(0, 3, 4000), 0).astype(np.float32),
    "all negative": lambda: -np.abs(RANDOM.normal(5, 1, 4000)).astype(np.float32),
    "one outlier": lambda: np.append(RANDOM.uniform(-1, 1, 3999), 300).astype(np.float32),
}


def observed(samples: Samples) -> Observed:
    seen = Observed()
    seen.add(torch.from_numpy(samples))
    seen.close_batch()
    return seen


def error(samples: Samples, limits: tuple[float, float]) -> float:
    """Mean squared error of fake-quantizing the samples on the grid of a range."""
    grid = ActivationGrid(None)
    grid.set_range(*limits)
    values = torch.from_numpy(samples)
    with torch.no_grad():
        quantized = Kernels(compiled=False).fake_quantize(values, grid.log_scale, grid.zero_point)
        return float((quantized - values).square().mean())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", METHODS)
def test_a_range_holds_zero_and_lies_within_what_was_seen(shape: str, method: Method) -> None:
    samples = SHAPES[shape]()
    low, high = choose_range(observed(samples), method)
    slack = 1e-6 * float(np.abs(samples).max())
    assert min(0.0, float(samples.min())) - slack <= low <= 0
    assert 0 <= high <= max(0.0, float(samples.max())) + slack
    assert low < high


@pytest.mark.parametrize("shape", SHAPES)
def test_mse_has_the_least_error(shape: str) -> None:
    samples = SHAPES[shape]()
    seen = observed(samples)
    least = error(samples, choose_range(seen, "mse"))
    assert least <= error(samples, choose_range(seen, "minmax")) * 1.001
    assert least <= error(samples, choose_range(seen, "percentile")) * 1.1  # it tries steps of 7 %


@pytest.mark.parametrize("symmetric", [False, True])
def test_the_error_over_the_histogram_is_that_of_the_values(symmetric: bool) -> None:
    samples = SHAPES["normal"]()
    low, high = (-2.0, 2.0) if symmetric else (-2.0, 3.0)
    counted = histogram_error(*observed(samples).histogram(), low, high, symmetric) / len(samples)
    scale = 2.0 / 127 if symmetric else 5.0 / 255
    zero, codes = (0, (-127, 127)) if symmetric else (round(2.0 / scale), (0, 255))
    rounded = (np.clip(np.round(samples / scale) + zero, *codes) - zero) * scale
    assert counted == pytest.approx(np.mean((rounded - samples) ** 2), rel=0.02)


def test_percentile_leaves_a_lone_outlier_out() -> None:
    seen = observed(np.append(RANDOM.uniform(-1, 1, 40_000), 300).astype(np.float32))
    assert choose_range(seen, "minmax")[1] == 300
    assert choose_range(seen, "percentile")[1] < 1.1


def test_average_is_that_of_the_pictures_and_not_of_the_tensors() -> None:
    seen = Observed()
    seen.add(torch.tensor([[-1.0, 4.0], [-3.0, 2.0]]))
    seen.add(torch.tensor([[0.0, 1.0], [0.0, 8.0]]))  # another tensor of the same pictures
    seen.close_batch()
    assert choose_range(seen, "average") == (-2.0, 6.0)
    for _ in range(400):
        seen.add(torch.tensor([[-1.0, 1.0]]))
        seen.close_batch()
    assert choose_range(seen, "average") == pytest.approx((-1.0, 1.0), rel=0.01)


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=60), st.integers(1, 20))
def test_a_widening_histogram_forgets_nothing(values: list[float], part: int) -> None:
    samples = np.array(values, np.float32)
    seen = Observed()
    for start in range(0, len(samples), part):
        seen.add(torch.from_numpy(samples[start : start + part]))
    centres, counts = seen.histogram()
    largest = float(np.abs(samples).max())
    first = np.flatnonzero(samples)
    skipped = len(samples) if not len(first) else first[0] // part * part  # parts of zeros alone
    assert counts.sum() == len(samples) - skipped
    assert (
        np.abs(np.repeat(centres, counts.astype(int)) - np.sort(samples[skipped:])).max(initial=0)
        <= largest * 2**-11 + 1e-30
    )
    assert (seen.low, seen.high) == (min(0, samples.min()), max(0, samples.max()))


@pytest.mark.parametrize("method", METHODS)
def test_a_tensor_of_zeros_keeps_a_finite_grid(method: Method) -> None:
    grid = ActivationGrid(None)
    grid.set_range(*choose_range(observed(np.zeros(100, np.float32)), method))
    scale, zero_point = grid.quantization()
    assert scale > 0
    assert zero_point == 0


def network_of(path: Path) -> Network:
    graph = read_graph(path)
    return Network(graph, plan_affine_grids(graph, PIXELS))


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    return (torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed)) * 255).round()


@pytest.mark.parametrize("build", [small_yolox, small_nanodet])
def test_curvature_is_what_a_small_error_costs(build: Callable[[Path], Path], tmp_path: Path) -> None:
    network = network_of(build(tmp_path / "m.onnx"))
    network.set_mode("float")
    with torch.no_grad():
        heads = [value.double() for value in network(pictures(2))]
    random = torch.Generator().manual_seed(1)
    wrong = [torch.randn(value.shape, generator=random).double() * 1e-3 for value in heads]
    for head, error in zip(network.graph.heads, wrong, strict=True):
        error[:, torch.arange(error.shape[1]) % bins(head) > 0] = 0  # one bin a side
    student = [value + difference for value, difference in zip(heads, wrong, strict=True)]
    loss = float(distillation_loss(network.graph.heads, student, heads))
    second = curvature(network.graph.heads, heads)
    predicted = sum(float((h * e.square()).sum()) / 2 for h, e in zip(second, wrong, strict=True))
    assert predicted == pytest.approx(loss, rel=0.02)


def test_importance_finds_the_tensors_that_matter(tmp_path: Path) -> None:
    network = network_of(small_yolox(tmp_path / "m.onnx"))
    weighted = observe_weighted(network, [pictures(4)])
    assert set(weighted) == set(observe(network, [pictures(1)]))
    totals = {index: seen.histogram()[1].sum() for index, seen in weighted.items()}
    for head in network.graph.heads:
        assert totals[network.plan.of[head.tensor]] > 0


def test_importance_keeps_no_batch_in_memory(tmp_path: Path) -> None:
    network = network_of(small_yolox(tmp_path / "m.onnx"))
    gc.collect()
    gc.disable()  # a reference cycle would stay
    try:
        before = sum(isinstance(one, torch.Tensor) for one in gc.get_objects())
        observe_weighted(network, [pictures(1), pictures(1)])
        assert sum(isinstance(one, torch.Tensor) for one in gc.get_objects()) == before
    finally:
        gc.enable()


def test_importance_counts_only_what_reads_the_grid(tmp_path: Path) -> None:
    g = GraphBuilder(0)
    x = g.conv("images", (3, 4))
    gate = g.node("Sigmoid", g.conv(x, (4, 4)))  # reads x on its grid; the product, fused, reads it in float
    path = g.save(tmp_path / "m.onnx", {g.conv(g.node("Mul", x, gate), (4, 4)): (1, 4, SIZE, SIZE)})
    graph = read_graph(path)
    network = Network(graph, plan_symmetric_grids(graph))
    index = network.plan.of[graph.nodes[0].outputs[0]]
    alone = observe_weighted(network, [pictures(1)])[index].histogram()[1].sum()
    fused = network.plan.reads_float
    everywhere = Network(graph, replace(network.plan, reads_float=frozenset()))
    assert fused
    assert alone != pytest.approx(observe_weighted(everywhere, [pictures(1)])[index].histogram()[1].sum())


def test_the_best_method_is_chosen_for_each_grid(tmp_path: Path) -> None:
    network = network_of(small_yolox(tmp_path / "m.onnx"))
    seen, held_out = observe(network, [pictures(8)]), observe(network, [pictures(4, seed=1)])

    def total() -> float:
        found = 0.0
        for index, values in held_out.items():
            scale, zero = cast(ActivationGrid, network.grids[index]).quantization()
            limits = (-float(zero * scale), float((255 - zero) * scale))
            found += histogram_error(*values.histogram(), *limits)
        return found

    chosen = set_best_ranges(network, seen, held_out)
    assert set(chosen.values()) <= set(METHODS)
    best = total()
    for method in METHODS:
        set_ranges(network, seen, method)
        assert best <= total() * 1.01


def test_a_model_that_is_not_finite_is_named(tmp_path: Path) -> None:
    graph = read_graph(small_yolox(tmp_path / "m.onnx"))
    weight = next(node for node in graph.nodes if node.operator == "Conv").inputs[1]
    spoiled = replace(graph, constants={**graph.constants, weight: graph.constants[weight] * np.nan})
    with pytest.raises(DataError, match="holds values that are not finite"):
        observe(Network(spoiled, plan_affine_grids(spoiled, PIXELS)), [pictures(1)])
