"""The arithmetic of fake-quantization against the operators that ONNX Runtime runs, and against autograd."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from edgeagent.qat.core.codes import HIGHEST, LEVELS
from edgeagent.qat.network.kernels import Kernels

EAGER = Kernels(compiled=False)
SCALES = (0.06, 120.0, 0.03, 9.0)


def parameters(scale: float, zero_point: float) -> tuple[Tensor, Tensor]:
    return (
        torch.tensor(math.log(scale), requires_grad=True),
        torch.tensor(zero_point, requires_grad=True),
    )


def rounded(value: Tensor) -> Tensor:
    return value + (value.round() - value).detach()


def reference(x: Tensor, log_scale: Tensor, zero_point: Tensor) -> Tensor:
    """Fake-quantization as a formula, its gradient left to autograd."""
    scale, zero = log_scale.exp(), rounded(zero_point.clamp(0, HIGHEST))
    return ((rounded(x / scale) + zero).clamp(0, HIGHEST) - zero) * scale


def reference_silu(x: Tensor, x_log: Tensor, x_zero: Tensor, y_log: Tensor, y_zero: Tensor) -> Tensor:
    """SiLU as three operators, each on its grid."""
    x = reference(x, x_log, x_zero)
    gate = rounded(torch.sigmoid(x) * LEVELS).clamp(0, HIGHEST) / LEVELS
    return reference(x * gate, y_log, y_zero)


@settings(deadline=None, max_examples=50)
@given(st.floats(1e-4, 10.0), st.integers(0, 255), st.integers(0, 2**31))
def test_values_lie_on_the_grid_of_quantize_linear(scale: float, zero_point: int, seed: int) -> None:
    x = np.random.default_rng(seed).normal(0, 100 * scale, 1000).astype(np.float32)
    log_scale, zero = parameters(scale, float(zero_point))
    got = EAGER.fake_quantize(torch.from_numpy(x), log_scale, zero).detach().numpy()
    real_scale = np.float32(log_scale.exp().item())
    codes = np.clip(np.round(x / real_scale) + zero_point, 0, 255)
    # x * (1 / scale) and x / scale may round a tie differently: at most one code
    difference = np.abs(got - (codes - zero_point) * real_scale) / real_scale
    assert difference.max() < 1.01
    assert (difference > 0.01).mean() < 0.01


def test_gradients_are_those_of_lsq_plus() -> None:
    scale, zero_point = 0.5, 10.0
    x = torch.tensor([-100.0, -3.2, 0.1, 7.7, 500.0], requires_grad=True)
    log_scale, zero = parameters(scale, zero_point)
    EAGER.fake_quantize(x, log_scale, zero).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None and log_scale.grad is not None and zero.grad is not None
    assert x.grad.tolist() == [0, 1, 1, 1, 0]
    inside = [round(v / scale) - v / scale for v in (-3.2, 0.1, 7.7)]
    by_scale = (0 - zero_point) + sum(inside) + (255 - zero_point)
    assert math.isclose(log_scale.grad.item(), by_scale * scale, rel_tol=1e-4)
    assert math.isclose(zero.grad.item(), -2 * scale, rel_tol=1e-5)  # the two that are clipped


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("kind", ["plain", "silu"])
def test_values_and_gradients_equal_those_of_the_formula(
    kind: str, layout: torch.memory_format, compiled: bool
) -> None:
    kernels = Kernels(compiled)
    torch.manual_seed(0)
    x = (torch.randn(2, 4, 9, 7) * 6).to(memory_format=layout).requires_grad_()
    weight = torch.randn(2, 4, 9, 7)  # of another layout than a channels-last x
    grids = [*parameters(*SCALES[:2]), *parameters(*SCALES[2:])][: 2 if kind == "plain" else 4]
    wanted = reference(x, *grids) if kind == "plain" else reference_silu(x, *grids)
    got = kernels.fake_quantize(x, *grids) if kind == "plain" else kernels.silu(x, *grids)
    off_by_a_tie = (got - wanted).abs() > 1e-4
    assert off_by_a_tie.float().mean() < 0.01
    assert got.is_contiguous(memory_format=layout)
    wanted_gradients = torch.autograd.grad((wanted * weight).sum(), [x, *grids])
    gradients = torch.autograd.grad((got * weight).sum(), [x, *grids])
    assert ((gradients[0] - wanted_gradients[0]).abs() > 1e-4).float().mean() < 0.01
    for one, other in zip(gradients[1:], wanted_gradients[1:], strict=True):
        assert one.item() == pytest.approx(other.item(), rel=0.02, abs=0.05)


@pytest.mark.parametrize("kind", ["plain", "silu"])
def test_a_frozen_grid_passes_the_same_gradient_on(kind: str) -> None:
    x = (torch.randn(64) * 6).requires_grad_()
    grids = [*parameters(*SCALES[:2]), *parameters(*SCALES[2:])][: 2 if kind == "plain" else 4]
    call = EAGER.fake_quantize if kind == "plain" else EAGER.silu
    (learned,) = torch.autograd.grad(call(x, *grids).square().sum(), [x])
    frozen = [grid.detach() for grid in grids]
    (got,) = torch.autograd.grad(call(x, *frozen).square().sum(), [x])
    assert torch.equal(got, learned)


def test_low_precision_is_quantized_in_float32() -> None:
    x = torch.randn(100).bfloat16()
    got = EAGER.fake_quantize(x, *parameters(0.01, 128.0))
    assert got.dtype == torch.float32
    assert torch.equal(got, EAGER.fake_quantize(x.float(), *parameters(0.01, 128.0)))
