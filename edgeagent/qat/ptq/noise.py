"""Noise of quantization by layer: signal-to-quantization-noise ratio (SQNR) of a calibrated network.

SQNR is 10 log10 of the mean square of a tensor over the mean square of its error, in dB. Eight bits of a bell
curve within its range give about 40 dB, and errors of many layers add up, so that the last layers of a good
quantization have 10 to 20 dB. A layer at which it falls below :data:`WEAK` at once is one that loses what
the layers before have kept: typically a depthwise convolution behind channels of very different ranges, which
share one grid. In PicoDet-S with min-max ranges the first of these, Conv_1, falls from 31.5 to -5.2 dB.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from torch import Tensor

from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.layerwise import WalkedLayer, walk

WEAK = 6.0
"""dB below which a layer is weak: its error has more than half of the amplitude of the signal."""
FALL = 6.0
"""dB that a weak layer itself loses; a layer that only passes on the errors of others loses less."""


@dataclass(frozen=True)
class LayerNoise:
    """SQNR of one layer.

    Attributes:
        node: name of the convolution.
        before: SQNR of its input, dB.
        after: SQNR of its output on the next grid, dB.
    """

    node: str
    before: float
    after: float

    @property
    def weak(self) -> bool:
        """Whether the layer loses what the layers before have kept."""
        return self.after < WEAK and self.before - self.after >= FALL


def measure_noise(network: Network, original: Network, batches: Iterable[Tensor]) -> list[LayerNoise]:
    """Return the noise of every convolution, in order.

    Args:
        network: calibrated network, possibly with corrected weights.
        original: network of the same graph with float weights.
        batches: pictures (b, 3, h, w) float32; small batches take little memory.
    """
    sums: dict[str, _Sums] = {}
    for pictures in batches:
        real: dict[str, tuple[Tensor, Tensor]] = {}

        def keep(layer: WalkedLayer, real: dict[str, tuple[Tensor, Tensor]] = real) -> None:
            output = layer.output(layer.convolve(layer.inputs.real, "float"), "float")
            real[layer.node.name] = layer.inputs.real, output

        def compare(layer: WalkedLayer, real: dict[str, tuple[Tensor, Tensor]] = real) -> None:
            inputs, output = real.pop(layer.node.name)
            rounded = layer.output(layer.convolve(layer.inputs.rounded, "quantize"), "quantize")
            found = sums.setdefault(layer.node.name, _Sums())
            found.before.add(inputs, layer.inputs.rounded)
            found.after.add(output, rounded)

        walk(original, pictures, keep)
        walk(network, pictures, compare)
    return [LayerNoise(node, found.before.decibels(), found.after.decibels()) for node, found in sums.items()]


@dataclass
class _Ratio:
    """Sums of squares of a signal and its error."""

    signal: float = 0.0
    error: float = 0.0

    def add(self, real: Tensor, rounded: Tensor) -> None:
        self.signal += float(real.double().square().sum())
        self.error += float((rounded.double() - real.double()).square().sum())

    def decibels(self) -> float:
        if not self.error:
            return math.inf
        return 10 * math.log10(max(self.signal, 1e-30) / self.error)


@dataclass
class _Sums:
    before: _Ratio = field(default_factory=_Ratio)
    after: _Ratio = field(default_factory=_Ratio)
