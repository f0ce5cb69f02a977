"""Corrections of biases and weights for what quantization does to a layer, without training.

The empirical bias correction of Nagel et al. 2019 (arXiv:1906.04721, section 4.2) moves each channel by the
mean of its error. Where ranges clip heavy tails that mean is made by values that what follows clips anyway,
and correcting it then shifts everything else. So here

- errors of a convolution's output are weighted by the square of the slope of what follows up to the next grid
  (activation and clipping), so that saturated values do not count;
- layers are corrected in order, each with the inputs that the corrected layers before it give;
- a channel takes a correction only if that lowers the squared error of its tensor on the next grid, on
  pictures that the correction was not made from.

With ``weights`` a layer's weights may follow as well: the weighted least squares that brings its output
for rounded inputs next to the float one (:mod:`edgeagent.qat.ptq.least_squares`). That matters for
channels in which folded batch normalization left large weights behind small inputs: they amplify the
rounding of their inputs.
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

HELD_OUT = 1 / 3  # of the pictures


@dataclass(frozen=True)
class Correction:
    """What was done to one layer.

    Attributes:
        node: name of the convolution.
        channels: how many channels took a correction.
        error_before: squared error of its tensor on the grid, on the pictures held out, per value.
        error_after: the same after it.
    """

    node: str
    channels: int
    error_before: float
    error_after: float


def correct(network: Network, pictures: Tensor, weights: bool = False) -> list[Correction]:
    """Correct a calibrated network in place, layer after layer.

    Args:
        network: calibrated, with the float model's weights.
        pictures: (pictures, 3, h, w), three or more; the last third only judges.
        weights: correct the weights too, not only the biases.
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
    """Parameters to try: the bias moved, then other weights and the bias moved for them."""
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
    """The bias with which the weighted mean error of each channel is 0, weights rounded."""
    error = (wanted - layer.convolve(x, "quantize")) * fit
    return bias + error.sum((0, 2, 3)) / fit.sum((0, 2, 3)).clamp(min=1e-12)


def _errors(layer: WalkedLayer, x: Tensor, target: Tensor) -> Tensor:
    """Squared error of each channel of the tensor on the grid, (channels,)."""
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
    """Give a convolution other real weights (out, in, kh, kw) and biases (out,)."""
    with torch.no_grad():
        module.weight_share.copy_(weight / module.weight_gain)
        if bias is not None and module.bias_share is not None:
            module.bias_share.copy_(bias / module.bias_gain)
