"""Grids and convolutions that are fake-quantized."""

from __future__ import annotations

import math

import torch

from edgeagent.qat.network.fake_quantize import (
    ActivationGrid,
    Convolution,
    fake_quantize_weight,
    weight_scale,
)


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


def test_a_bias_is_rounded_as_an_artefact_holds_it() -> None:
    options = {"stride": (1, 1), "dilation": (1, 1), "groups": 1, "pads": (0, 0, 0, 0)}
    weight, bias = torch.tensor([[[[127.0]]], [[[12.7]]]]), torch.tensor([0.3, -0.26])
    module, grid = Convolution(weight, bias, options), ActivationGrid(None)
    grid.set_range(0.0, 255.0)  # scale 1, so that the steps of the biases are 1 and 0.1
    module.read_from(grid)
    zeros = torch.zeros(1, 1, 1, 1)
    torch.testing.assert_close(module(zeros).flatten(), bias)  # in float
    module.switch("quantize")
    torch.testing.assert_close(module(zeros).flatten(), torch.tensor([0.0, -0.3]))
    module(zeros).sum().backward()
    assert module.bias_share is not None and module.bias_share.grad is not None
    torch.testing.assert_close(module.bias_share.grad, module.bias_gain.expand(2))
    assert not any("grid" in name for name in module.state_dict())
