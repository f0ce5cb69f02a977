"""Weighted least squares: weights of a layer whose output for rounded inputs is closest to the float output.

For each output channel, minimise sum(f * (wanted - patch . w - b)^2) + ridge, where the patches are of
rounded inputs and f is the weight of each value. The ridge term pulls towards the given weights, scaled by
the contribution of each weight. All channels are solved at once by conjugate gradients with a diagonal
preconditioner, on a sample of positions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from edgeagent.qat.network.fake_quantize import Convolution

POSITIONS = 8192  # sampled, in all pictures together
RIDGE = 1e-3
STEPS = 24


def fit_weights(
    module: Convolution, weight: Tensor, bias: Tensor | None, x: Tensor, wanted: Tensor, fit: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Return weights (out, in, kh, kw) and biases (out,).

    Args:
        module: convolution, for its geometry.
        weight: initial weight (out, in, kh, kw), target of the ridge.
        bias: initial bias (out,); None for a layer without one.
        x: rounded inputs (pictures, in, h, w).
        wanted: float outputs (pictures, out, h', w').
        fit: weight of each output value, same shape.
    """
    groups, outputs = module.options["groups"], len(weight)
    patches, chosen = _patches(module, weight, x, max(1, POSITIONS // len(x)))
    rows = patches.reshape(patches.shape[0], groups, -1).transpose(0, 1)  # (groups, rows, inputs)
    if bias is not None:
        rows = torch.cat([rows, rows.new_ones(*rows.shape[:2], 1)], 2)
    start = weight.reshape(groups, outputs // groups, -1)
    if bias is not None:
        start = torch.cat([start, bias.reshape(groups, -1, 1)], 2)
    columns = start.transpose(1, 2)  # (groups, inputs, outputs of the group)
    target, counts = (_at(value, chosen, groups) for value in (wanted, fit))
    solved = columns + _solve(rows, target - rows @ columns, counts)
    parameters = solved.transpose(1, 2).reshape(outputs, -1)
    if bias is None:
        return parameters.reshape(weight.shape), None
    return parameters[:, :-1].reshape(weight.shape), parameters[:, -1].clone()


def _solve(rows: Tensor, residual: Tensor, counts: Tensor) -> Tensor:
    """Return the change of the parameters (groups, inputs, outputs), by conjugate gradients."""
    diagonal = rows.square().transpose(1, 2) @ counts
    unit = diagonal.clamp(min=1e-30).rsqrt() * (diagonal > 1e-20)
    change = torch.zeros_like(unit)
    error = unit * (rows.transpose(1, 2) @ (counts * residual))
    direction, size = error.clone(), error.square().sum(1, keepdim=True)
    for _ in range(STEPS):
        applied = unit * (rows.transpose(1, 2) @ (counts * (rows @ (unit * direction)))) + RIDGE * direction
        along = size / (direction * applied).sum(1, keepdim=True).clamp(min=1e-30)
        change += along * direction
        error = error - along * applied
        new = error.square().sum(1, keepdim=True)
        direction = error + new / size.clamp(min=1e-30) * direction
        size = new
    return unit * change


def _patches(module: Convolution, weight: Tensor, x: Tensor, positions: int) -> tuple[Tensor, Tensor]:
    """Return patches (rows, in * kh * kw) at random positions, and the positions (pictures, rows)."""
    top, left, bottom, right = module.pads
    stride, dilation = module.options["stride"], module.options["dilation"]
    random = torch.Generator().manual_seed(0)
    found, chosen = [], []
    for picture in x:
        padded = functional.pad(picture[None], (left, right, top, bottom))
        unfolded = functional.unfold(padded, tuple(weight.shape[2:]), dilation, 0, stride)[0]
        picked = torch.randperm(unfolded.shape[1], generator=random)[:positions]
        found.append(unfolded[:, picked].T)
        chosen.append(picked)
    return torch.cat(found), torch.stack(chosen)


def _at(value: Tensor, chosen: Tensor, groups: int) -> Tensor:
    """Return values (pictures, out, h, w) at positions as (groups, rows, outputs of the group)."""
    flat = value.flatten(2).gather(2, chosen[:, None].expand(-1, value.shape[1], -1))
    return flat.permute(1, 0, 2).reshape(groups, value.shape[1] // groups, -1).transpose(1, 2)
