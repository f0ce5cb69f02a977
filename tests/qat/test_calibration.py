"""Ranges chosen from what was observed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch

from edgeagent.qat.calibration import METHODS, Method, Observed, choose_range
from edgeagent.qat.fake_quantize import ActivationGrid
from edgeagent.qat.kernels import Kernels

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
    return seen


def error(samples: Samples, method: Method) -> float:
    """Mean squared error of fake-quantizing the samples on the grid that a method chooses."""
    grid = ActivationGrid(None)
    grid.set_range(*choose_range(observed(samples), method))
    values = torch.from_numpy(samples)
    with torch.no_grad():
        quantized = Kernels(compiled=False).fake_quantize(values, grid.log_scale, grid.zero_point)
        return float((quantized - values).square().mean())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", METHODS)
def test_a_range_holds_zero_and_lies_within_what_was_seen(shape: str, method: Method) -> None:
    samples = SHAPES[shape]()
    low, high = choose_range(observed(samples), method)
    assert min(0.0, float(samples.min())) <= low <= 0 <= high <= max(0.0, float(samples.max()))
    assert low < high


@pytest.mark.parametrize("shape", SHAPES)
def test_mse_has_the_least_error(shape: str) -> None:
    samples = SHAPES[shape]()
    least = error(samples, "mse")
    assert least <= error(samples, "minmax") * 1.001
    assert least <= error(samples, "percentile") * 1.1  # it tries steps of 2.5 % of the range


def test_percentile_leaves_a_lone_outlier_out() -> None:
    samples = np.append(RANDOM.uniform(-1, 1, 40_000), 300).astype(np.float32)
    seen = Observed(low=-1.0, high=300.0, parts=[samples])
    assert choose_range(seen, "minmax")[1] == 300
    assert choose_range(seen, "percentile")[1] < 1.01


@pytest.mark.parametrize("method", METHODS)
def test_a_tensor_of_zeros_keeps_a_finite_grid(method: Method) -> None:
    grid = ActivationGrid(None)
    grid.set_range(*choose_range(observed(np.zeros(100, np.float32)), method))
    scale, zero_point = grid.quantization()
    assert scale > 0
    assert zero_point == 0
