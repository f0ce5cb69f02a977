"""Selection of the units that stay float, under a budget of multiply-accumulates.

::

    sensitivity of all units
        -> repeatedly: select the unit that saves the most error for its MACs
        -> until the share of integer MACs would fall below the budget, or no unit saves enough error

The error that a unit saves depends on the units already in float. The unit of highest priority is therefore
measured again before it is selected, and the neighbours of a selected unit are measured again after it. A
unit adjacent to a float region has a higher priority: it moves the region's border instead of adding two
borders, each of which is a quantization at run time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgeagent.qat.graph.macs import count_macs, integer_share
from edgeagent.qat.mixed.float_units import Unit, with_float_nodes
from edgeagent.qat.mixed.sensitivity import ErrorMeasure, Sensitivity
from edgeagent.qat.network.network import Network

NEIGHBOUR_BONUS = 1.5
LEAST_SAVING = 0.003  # share of the whole error that a unit must save
STILL_FIRST = 0.9  # share of the second priority that the first unit must keep when measured again
MAC_FLOOR = 1e-3  # least share of all MACs that a unit is counted with


@dataclass(frozen=True)
class SelectionStep:
    """Selection of one unit.

    Attributes:
        unit: name of the unit.
        nodes: names of its nodes.
        integer_share: share of the MACs on integers with this and all earlier units in float.
        error: error of the network with these units in float.
    """

    unit: str
    nodes: frozenset[str]
    integer_share: float
    error: float


@dataclass(frozen=True)
class FloatSelection:
    """Units that stay float, in the order of their selection.

    Attributes:
        error: error with all units quantized.
        steps: selected units.
    """

    error: float
    steps: tuple[SelectionStep, ...]

    def float_nodes(self, steps: int | None = None) -> frozenset[str]:
        """Return the float nodes of the first ``steps`` steps (default: all)."""
        return frozenset[str]().union(*(step.nodes for step in self.steps[:steps]))


def select(
    network: Network,
    units: Sequence[Unit],
    sensitivity: Sensitivity,
    measure_error: ErrorMeasure,
    least_integer_share: float,
    report: Callable[[SelectionStep], None] = lambda step: None,
) -> FloatSelection:
    """Select units that stay float.

    Args:
        network: calibrated or trained network, quantized throughout.
        units: candidates: all of :func:`edgeagent.qat.mixed.float_units.find_units`, or the first of
            :func:`edgeagent.qat.mixed.sensitivity.by_predicted_error`.
        sensitivity: sensitivity of these units.
        measure_error: error of a network.
        least_integer_share: least share of the MACs on integers, 0..1.
        report: called after every step.
    """
    search = _Search(network, units, sensitivity, measure_error, least_integer_share)
    steps = []
    while (step := search.step()) is not None:
        steps.append(step)
        report(step)
    return FloatSelection(sensitivity.error, tuple(steps))


def fewest_steps(selection: FloatSelection, good: Callable[[frozenset[str]], bool]) -> int | None:
    """Return the least number of steps that is enough; None if all of them are not.

    Args:
        selection: selection whose steps are applied in order.
        good: whether a network with these float nodes is accurate enough; called a few times.
    """
    if good(frozenset()):
        return 0
    if not selection.steps or not good(selection.float_nodes()):
        return None
    counts = range(1, len(selection.steps))
    return 1 + bisect_left(counts, True, key=lambda count: good(selection.float_nodes(count)))


class _Search:
    def __init__(
        self,
        network: Network,
        units: Sequence[Unit],
        sensitivity: Sensitivity,
        measure_error: ErrorMeasure,
        least_integer_share: float,
    ) -> None:
        self._network, self._measure_error = network, measure_error
        self._total = sum(count_macs(network.graph).values())
        self._budget = (1 - least_integer_share) * self._total
        self._least = LEAST_SAVING * sensitivity.error
        self._saved = {layer.node: layer.saved for layer in sensitivity.layers}
        self._left = {unit.name: unit for unit in units}
        self._taken: list[Unit] = []
        self._error = sensitivity.error

    def step(self) -> SelectionStep | None:
        """Select the unit of highest priority within the budget; None when no unit saves enough error."""
        measured: set[str] = set()
        while ranked := sorted(self._affordable(), key=self._priority, reverse=True):
            best, others = ranked[0], ranked[1:]
            if best.name not in measured:
                measured.add(best.name)
                self._measure(best)
            second = self._priority(others[0]) if others else 0.0
            still_first = self._priority(best) >= STILL_FIRST * second
            if still_first and self._saved[best.name] > self._least:
                return self._take(best)
        return None

    def _affordable(self) -> list[Unit]:
        return [
            unit
            for unit in self._left.values()
            if unit.macs <= self._budget and self._saved[unit.name] > self._least
        ]

    def _priority(self, unit: Unit) -> float:
        """Return the error saved relative to the MACs, raised for a unit adjacent to a float region."""
        bonus = NEIGHBOUR_BONUS if unit.is_adjacent_to(self._taken) else 1.0
        return bonus * self._saved[unit.name] / (unit.macs / self._total + MAC_FLOOR)

    def _measure(self, unit: Unit) -> None:
        self._saved[unit.name] = self._error - self._measure_error(
            with_float_nodes(self._network, self._nodes() | unit.nodes)
        )

    def _take(self, unit: Unit) -> SelectionStep:
        self._taken.append(unit)
        del self._left[unit.name]
        self._budget -= unit.macs
        self._error -= self._saved[unit.name]
        for other in self._left.values():
            if other.is_adjacent_to([unit]) and other.macs <= self._budget:
                self._measure(other)
        share = integer_share(self._network.graph, self._nodes())
        return SelectionStep(unit.name, unit.nodes, share, self._error)

    def _nodes(self) -> frozenset[str]:
        return frozenset[str]().union(*(unit.nodes for unit in self._taken))
