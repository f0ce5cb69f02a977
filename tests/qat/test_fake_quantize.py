"""Fake-quantization against the operators that ONNX Runtime runs, and its gradients."""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from edgeagent.qat.fake_quantize import (
    ActivationGrid,
    Convolution,
    fake_quantize,
    fake_quantize_silu,
    fake_quantize_weight,
    weight_scale,
)


def parameters(scale: float, zero_point: float) -> tuple[Tensor, Tensor]:
    return (
        torch.tensor(math.log(scale), requires_grad=True),
        torch.tensor(zero_point, requires_grad=True),
    )


@settings(deadline=None, max_examples=50)
@given(st.floats(1e-4, 10.0), st.integers(0, 255), st.integers(0, 2**31))
def test_values_lie_on_the_grid_of_quantize_linear(scale: float, zero_point: int, seed: int) -> None:
    x = np.random.default_rng(seed).normal(0, 100 * scale, 1000).astype(np.float32)
    log_scale, zero = parameters(scale, float(zero_point))
    got = fake_quantize(torch.from_numpy(x), log_scale, zero).detach().numpy()
    real_scale = np.float32(log_scale.exp().item())
    codes = np.clip(np.round(x / real_scale) + zero_point, 0, 255)
    # x / scale + zero may round a tie the other way than round(x / scale) + zero: at most one code
    difference = np.abs(got - (codes - zero_point) * real_scale) / real_scale
    assert difference.max() < 1.01
    assert (difference > 0.01).mean() < 0.01


def test_gradients_are_those_of_lsq_plus() -> None:
    scale, zero_point = 0.5, 10.0
    x = torch.tensor([-100.0, -3.2, 0.1, 7.7, 500.0], requires_grad=True)
    log_scale, zero = parameters(scale, zero_point)
    fake_quantize(x, log_scale, zero).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None and log_scale.grad is not None and zero.grad is not None
    assert x.grad.tolist() == [0, 1, 1, 1, 0]
    inside = [round(v / scale) - v / scale for v in (-3.2, 0.1, 7.7)]
    by_scale = (0 - zero_point) + sum(inside) + (255 - zero_point)
    assert math.isclose(log_scale.grad.item(), by_scale * scale, rel_tol=1e-4)
    assert math.isclose(zero.grad.item(), -2 * scale, rel_tol=1e-5)  # the two that are clipped


def test_compiled_silu_equals_eager() -> None:
    x = (torch.randn(2, 4, 9, 9) * 4).requires_grad_()
    arguments = (*parameters(0.06, 120.0), *parameters(0.03, 9.0))
    eager = fake_quantize_silu(x, *arguments)
    compiled = torch.compile(fake_quantize_silu, dynamic=True)(x, *arguments)
    step = 0.03
    assert ((eager - compiled).abs() > step / 2).float().mean() < 0.01  # rounding of ties only


def test_weight_codes_are_what_an_exporter_finds_again() -> None:
    weight = torch.randn(8, 4, 3, 3) * torch.logspace(-4, 2, 8).reshape(-1, 1, 1, 1)
    once = fake_quantize_weight(weight)
    scale = weight_scale(weight).reshape(-1, 1, 1, 1)
    assert torch.allclose(weight_scale(once).reshape(-1, 1, 1, 1), scale)
    codes = once / scale
    assert codes.abs().max() <= 127.001
    assert torch.allclose(codes, codes.round(), atol=1e-3)


def test_channel_of_zeros_keeps_a_finite_scale() -> None:
    assert torch.isfinite(fake_quantize_weight(torch.zeros(2, 3, 1, 1))).all()


def test_convolution_keeps_its_weights_and_pads_asymmetrically() -> None:
    weight, bias = torch.randn(5, 3, 3, 3), torch.randn(5)
    x = torch.randn(1, 3, 8, 8)
    module = Convolution(
        weight, bias, {"stride": (2, 2), "dilation": (1, 1), "groups": 1, "pads": (0, 0, 1, 1)}
    )
    wanted = torch.nn.functional.conv2d(torch.nn.functional.pad(x, (0, 1, 0, 1)), weight, bias, stride=2)
    torch.testing.assert_close(module(x), wanted)


def test_non_negative_range_has_zero_point_zero() -> None:
    grid = ActivationGrid(None)
    grid.set_range(0.0, 6.0)
    scale, zero_point = grid.quantization()
    assert zero_point == 0
    assert math.isclose(float(scale), 6.0 / 255, rel_tol=1e-6)
    assert not grid.zero_point.requires_grad
