"""Sensitivity of layers to quantization: the error saved by one unit in float, all others quantized.

For every unit (a convolution with its activation, or a group of them) the error of the network is measured
once with the unit in float; the decrease of the error is the unit's sensitivity. Optionally also the error
with only this unit quantized, which shows errors that other units mask.

This takes one run of the network per unit. Where that is too slow, :func:`by_predicted_error` ranks the units
without any run, by the error of their rounding at the heads from weighted histograms
(:mod:`edgeagent.qat.ptq.importance`), and only the first of them are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from edgeagent.qat.core.codes import HIGHEST
from edgeagent.qat.mixed.float_units import Unit, with_float_nodes
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.histogram import Observed
from edgeagent.qat.ptq.range_search import error as rounding_error

ErrorMeasure = Callable[[Network], float]
"""Error of a network, less is better: for example the loss against the float model on held-out pictures."""


@dataclass(frozen=True)
class LayerSensitivity:
    """Sensitivity of one unit.

    Attributes:
        node: name of its weighted node.
        macs: multiply-accumulates for one picture.
        saved: error saved by computing it in float.
        alone: error with only this unit quantized; None if not measured.
    """

    node: str
    macs: int
    saved: float
    alone: float | None


@dataclass(frozen=True)
class Sensitivity:
    """Sensitivity of the units of a network.

    Attributes:
        error: error with all units quantized.
        layers: units by error saved, highest first.
    """

    error: float
    layers: tuple[LayerSensitivity, ...]

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def measure_sensitivity(
    network: Network,
    units: Sequence[Unit],
    measure_error: ErrorMeasure,
    alone: bool = False,
    report: Callable[[int], None] = lambda done: None,
) -> Sensitivity:
    """Measure the error of a network with each unit in float.

    Args:
        network: calibrated or trained network, quantized throughout.
        units: units from :func:`edgeagent.qat.mixed.float_units.find_units`.
        measure_error: error of a network; called once for the whole network, and once or twice per unit.
        alone: whether to measure also with only each unit quantized.
        report: called with the number of finished units.
    """
    network.set_mode("quantize")
    error = measure_error(network)
    names = frozenset(node.name for node in network.graph.nodes)
    layers = []
    for done, unit in enumerate(units, 1):
        saved = error - measure_error(with_float_nodes(network, unit.nodes))
        rest = measure_error(with_float_nodes(network, names - unit.nodes)) if alone else None
        layers.append(LayerSensitivity(unit.name, unit.macs, saved, rest))
        report(done)
    return Sensitivity(error, tuple(sorted(layers, key=lambda layer: -layer.saved)))


def by_predicted_error(
    network: Network, units: Sequence[Unit], weighted: Mapping[int, Observed]
) -> list[Unit]:
    """Return the units by the predicted error of the rounding of their tensors, highest first.

    Args:
        network: calibrated network.
        units: units to rank.
        weighted: values from :func:`edgeagent.qat.ptq.importance.observe_weighted`, of the float network.
    """

    def predicted(unit: Unit) -> float:
        found = 0.0
        for index in {network.plan.of[name] for name in unit.writes if name in network.plan.of}:
            if index in weighted:
                scale, zero = cast(ActivationGrid, network.grids[index]).quantization()
                low, high = -zero * float(scale), (HIGHEST - zero) * float(scale)
                found += rounding_error(*weighted[index].histogram(), low, high)
        return found

    return sorted(units, key=predicted, reverse=True)
