"""Selective quantization: which nodes to leave in float, under a budget of multiplications.

::

    sensitivity of all units
        -> again and again: leave the unit in float that saves the most error for its MACs
        -> until the share of integer MACs would fall below the budget, or nothing is worth it any more

What a unit saves changes with what is in float already, so the front runner is judged again before it is
taken, and the neighbours of a unit that was taken are judged anew. A unit next to a float region is
preferred: it moves the region's border instead of adding two, each of which is a quantization at run time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgeagent.qat.graph.macs import count_macs, integer_share
from edgeagent.qat.mixed.mixed import Unit, with_float_nodes
from edgeagent.qat.mixed.sensitivity import Judge, Sensitivity
from edgeagent.qat.network.network import Network

NEIGHBOUR_BONUS = 1.5
WORTH = 0.003  # of the whole error: what a unit must save to be left in float
STILL_FIRST = 0.9  # of the runner-up's promise: enough to be taken without looking at the others again
MAC_FLOOR = 1e-3  # of all MACs: a unit is not counted as cheaper than this


@dataclass(frozen=True)
class Step:
    """One unit taken: its name, its nodes, and where the network stands with it in float."""

    unit: str
    nodes: frozenset[str]
    integer_share: float
    error: float


@dataclass(frozen=True)
class FloatSelection:
    """Units left in float, in the order in which they were taken.

    Attributes:
        error: with everything quantized.
        steps: see :class:`Step`.
    """

    error: float
    steps: tuple[Step, ...]

    def float_nodes(self, steps: int | None = None) -> frozenset[str]:
        """Return the nodes that the first steps (default: all) leave in float."""
        return frozenset[str]().union(*(step.nodes for step in self.steps[:steps]))


def select(
    network: Network,
    units: Sequence[Unit],
    sensitivity: Sensitivity,
    judge: Judge,
    least_integer_share: float,
    report: Callable[[Step], None] = lambda step: None,
) -> FloatSelection:
    """Choose units to leave in float.

    Args:
        network: calibrated or trained, wholly quantized.
        units: that may be taken: all of :func:`edgeagent.qat.mixed.mixed.find_units`, or the first of
            :func:`edgeagent.qat.mixed.sensitivity.by_predicted_error`.
        sensitivity: of these units.
        judge: error of a network.
        least_integer_share: of the MACs, 0..1.
        report: told every step.
    """
    search = _Search(network, units, sensitivity, judge, least_integer_share)
    steps = []
    while (step := search.step()) is not None:
        steps.append(step)
        report(step)
    return FloatSelection(sensitivity.error, tuple(steps))


def fewest_steps(selection: FloatSelection, good: Callable[[frozenset[str]], bool]) -> int | None:
    """Return how many of the steps are needed; None where not even all of them do.

    Args:
        selection: its steps are taken in order.
        good: whether a network with these float nodes loses no more than it may; asked a few times.
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
        judge: Judge,
        least_integer_share: float,
    ) -> None:
        self._network, self._judge = network, judge
        self._total = sum(count_macs(network.graph).values())
        self._budget = (1 - least_integer_share) * self._total
        self._least = WORTH * sensitivity.error
        self._saved = {layer.node: layer.saved for layer in sensitivity.layers}
        self._left = {unit.name: unit for unit in units}
        self._taken: list[Unit] = []
        self._error = sensitivity.error

    def step(self) -> Step | None:
        """Take the best unit that the budget allows; None when none is worth it."""
        looked_at: set[str] = set()
        while ranked := sorted(self._affordable(), key=self._promise, reverse=True):
            best, others = ranked[0], ranked[1:]
            if best.name not in looked_at:
                looked_at.add(best.name)
                self._look(best)
            runner_up = self._promise(others[0]) if others else 0.0
            still_first = self._promise(best) >= STILL_FIRST * runner_up
            if still_first and self._saved[best.name] > self._least:
                return self._take(best)
        return None

    def _affordable(self) -> list[Unit]:
        return [
            unit
            for unit in self._left.values()
            if unit.macs <= self._budget and self._saved[unit.name] > self._least
        ]

    def _promise(self, unit: Unit) -> float:
        """Error saved for each share of the MACs, more for a neighbour of what is in float."""
        bonus = NEIGHBOUR_BONUS if unit.touches(self._taken) else 1.0
        return bonus * self._saved[unit.name] / (unit.macs / self._total + MAC_FLOOR)

    def _look(self, unit: Unit) -> None:
        self._saved[unit.name] = self._error - self._judge(
            with_float_nodes(self._network, self._nodes() | unit.nodes)
        )

    def _take(self, unit: Unit) -> Step:
        self._taken.append(unit)
        del self._left[unit.name]
        self._budget -= unit.macs
        self._error -= self._saved[unit.name]
        for other in self._left.values():
            if other.touches([unit]) and other.macs <= self._budget:
                self._look(other)
        share = integer_share(self._network.graph, self._nodes())
        return Step(unit.name, unit.nodes, share, self._error)

    def _nodes(self) -> frozenset[str]:
        return frozenset[str]().union(*(unit.nodes for unit in self._taken))
