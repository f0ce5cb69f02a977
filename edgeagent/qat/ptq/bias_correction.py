"""Correction of biases and weights for the quantization error of a layer, without training.

The empirical bias correction of Nagel et al. 2019 (arXiv:1906.04721, section 4.2) shifts each channel by the
mean of its error. Where ranges clip heavy tails, that mean is dominated by values that the next operators
saturate anyway, and correcting it shifts all other values. Therefore

- errors of a convolution's output are weighted by the squared slope of the operators up to the next grid
  (activation and clipping), so that saturated values do not count;
- layers are corrected in order, each with the inputs from the corrected layers before it;
- a channel is corrected only if this lowers the squared error of its tensor on the next grid, on held-out
  pictures.

With ``weights`` a layer's weights are corrected too, by weighted least squares between its output for rounded
inputs and the float output (:mod:`edgeagent.qat.ptq.least_squares`). This matters for channels in which
folded batch normalization left large weights after small inputs: they amplify the rounding of their inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from edgeagent.qat.network.fake_quantize import Convolution
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.layerwise import WalkedLayer, walk
from edgeagent.qat.ptq.least_squares import fit_weights

HELD_OUT = 1 / 3  # share of the pictures


@dataclass(frozen=True)
class Correction:
    """Correction of one layer.

    Attributes:
        node: name of the convolution.
        channels: number of corrected channels.
        error_before: mean squared error of its tensor on the grid, on the held-out pictures.
        error_after: the same after the correction.
    """

    node: str
    channels: int
    error_before: float
    error_after: float


def correct(network: Network, pictures: Tensor, weights: bool = False) -> list[Correction]:
    """Correct a calibrated network in place, layer after layer.

    Args:
        network: calibrated network with the float model's weights.
        pictures: (pictures, 3, h, w) float32, three or more; the last third is held out.
        weights: whether weights are corrected besides biases.
    """
    held_out = max(1, round(len(pictures) * HELD_OUT))
    done: list[Correction] = []
    walk(network, pictures, lambda layer: done.append(_correct_layer(layer, held_out, weights)))
    return done


def _correct_layer(layer: WalkedLayer, held_out: int, weights: bool) -> Correction:
    module, x = layer.module, layer.inputs.rounded
    wanted = layer.convolve(layer.inputs.real, "float")
    target = layer.output(wanted, "float")[-held_out:]
    weight, bias = module.weight().detach().clone(), module.bias()
    bias = None if bias is None else bias.detach().clone()
    best = before = _errors(layer, x[-held_out:], target)
    kept = weight, bias
    fit = layer.slope(wanted[:-held_out]).square()
    changed = torch.zeros(len(weight), dtype=torch.bool)
    for tried in _candidates(layer, wanted[:-held_out], fit, weights):
        set_parameters(module, *tried)
        errors = _errors(layer, x[-held_out:], target)
        better = errors < best
        kept = _mixed(kept, tried, better)
        best = torch.where(better, errors, best)
        changed |= better
    set_parameters(module, *kept)
    size = max(1, target.numel())
    return Correction(
        layer.node.name, int(changed.sum()), float(before.sum()) / size, float(best.sum()) / size
    )


def _candidates(
    layer: WalkedLayer, wanted: Tensor, fit: Tensor, weights: bool
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Yield parameters to try: a shifted bias, then fitted weights with a bias shifted for them."""
    module, x = layer.module, layer.inputs.rounded[: len(wanted)]
    weight, bias = module.weight().detach().clone(), module.bias()
    bias = None if bias is None else bias.detach().clone()
    if bias is not None:
        yield weight, _moved(layer, bias, x, wanted, fit)
    if weights:
        weight, bias = fit_weights(module, weight, bias, x, wanted, fit)
        set_parameters(module, weight, bias)
        yield weight, None if bias is None else _moved(layer, bias, x, wanted, fit)


def _moved(layer: WalkedLayer, bias: Tensor, x: Tensor, wanted: Tensor, fit: Tensor) -> Tensor:
    """Return the bias for which the weighted mean error of each channel is 0, with rounded weights."""
    error = (wanted - layer.convolve(x, "quantize")) * fit
    return bias + error.sum((0, 2, 3)) / fit.sum((0, 2, 3)).clamp(min=1e-12)


def _errors(layer: WalkedLayer, x: Tensor, target: Tensor) -> Tensor:
    """Return the squared error of each channel of the tensor on the grid, (channels,)."""
    output = layer.output(layer.convolve(x, "quantize"), "quantize")
    return (output - target).square().sum((0, 2, 3))


def _mixed(
    kept: tuple[Tensor, Tensor | None], tried: tuple[Tensor, Tensor | None], better: Tensor
) -> tuple[Tensor, Tensor | None]:
    weight = torch.where(better[:, None, None, None], tried[0], kept[0])
    if kept[1] is None or tried[1] is None:
        return weight, None
    return weight, torch.where(better, tried[1], kept[1])


def set_parameters(module: Convolution, weight: Tensor, bias: Tensor | None) -> None:
    """Set the real weights (out, in, kh, kw) and biases (out,) of a convolution."""
    with torch.no_grad():
        module.weight_share.copy_(weight / module.weight_gain)
        if bias is not None and module.bias_share is not None:
            module.bias_share.copy_(bias / module.bias_gain)
