"""Which layers cost how much: one unit at a time in float, while all else is quantized.

For every unit (a convolution with its activation, or a group of them) the network is judged once with the
unit left in float; what that saves of the whole error is the unit's sensitivity. Optionally also the other
way round: the unit quantized while all else is float, which shows errors that others hide.

Judging costs a run of the network for every unit. Where that is too slow, :func:`by_predicted_error` puts the
units in order without any: what the rounding of a unit's tensors costs at the heads follows from weighted
histograms (:mod:`edgeagent.qat.ptq.importance`), and only the first of them need to be judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from edgeagent.qat.mixed.mixed import Unit, with_float_nodes
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.kernels import HIGHEST
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.histogram import Observed
from edgeagent.qat.ptq.range_search import error as rounding_error

Judge = Callable[[Network], float]
"""Error of a network, less is better: for instance the loss against the float model on held-out pictures."""


@dataclass(frozen=True)
class LayerSensitivity:
    """One unit.

    Attributes:
        node: name of its weighted node.
        macs: multiply-accumulates for one picture.
        saved: error saved by leaving it in float.
        alone: error with it alone quantized; None where that was not asked for.
    """

    node: str
    macs: int
    saved: float
    alone: float | None


@dataclass(frozen=True)
class Sensitivity:
    """Result for a network.

    Attributes:
        error: with everything quantized.
        layers: by error saved, the most first.
    """

    error: float
    layers: tuple[LayerSensitivity, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return asdict(self)


def measure_sensitivity(
    network: Network,
    units: Sequence[Unit],
    judge: Judge,
    alone: bool = False,
    report: Callable[[int], None] = lambda done: None,
) -> Sensitivity:
    """Judge a calibrated network with each unit in float.

    Args:
        network: calibrated or trained, wholly quantized.
        units: from :func:`edgeagent.qat.mixed.mixed.find_units`.
        judge: asked once for the whole network, and once or twice for every unit.
        alone: judge also with each unit alone quantized.
        report: told after every unit how many are done.
    """
    network.set_mode("quantize")
    error = judge(network)
    names = frozenset(node.name for node in network.graph.nodes)
    layers = []
    for done, unit in enumerate(units, 1):
        saved = error - judge(with_float_nodes(network, unit.nodes))
        rest = judge(with_float_nodes(network, names - unit.nodes)) if alone else None
        layers.append(LayerSensitivity(unit.name, unit.macs, saved, rest))
        report(done)
    return Sensitivity(error, tuple(sorted(layers, key=lambda layer: -layer.saved)))


def by_predicted_error(
    network: Network, units: Sequence[Unit], weighted: Mapping[int, Observed]
) -> list[Unit]:
    """Return the units by what the rounding of their tensors is predicted to cost, the most first.

    Args:
        network: calibrated.
        units: to put in order.
        weighted: from :func:`edgeagent.qat.ptq.importance.observe_weighted`, of the float network.
    """

    def predicted(unit: Unit) -> float:
        found = 0.0
        for index in {network.plan.of[name] for name in unit.gives if name in network.plan.of}:
            if index in weighted:
                scale, zero = cast(ActivationGrid, network.grids[index]).quantization()
                low, high = -zero * float(scale), (HIGHEST - zero) * float(scale)
                found += rounding_error(*weighted[index].histogram(), low, high)
        return found

    return sorted(units, key=predicted, reverse=True)
