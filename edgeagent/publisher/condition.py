"""Condition that halts a rollout, such as ``p99>40ms or rollback_rate>2%``.

::

    condition  = all { "or" all }
    all        = comparison { "and" comparison }
    comparison = metric ( ">" | ">=" | "<" | "<=" ) number unit

With too little data a comparison is unknown, neither true nor false, and so may be the condition (Kleene's
three-valued logic).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from edgeagent.errors import ConfigurationError

LATENCIES = ("p50", "p90", "p99")
RATES = ("rollback_rate", "rejected_rate", "offline_rate")
_UNITS = {"ms": 1.0, "s": 1000.0, "%": 1.0}
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_COMPARISON = re.compile(r"([a-z0-9_]+)\s*(>=|<=|>|<)\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|%)")


@dataclass(frozen=True)
class FleetMeasurements:
    """Value of a metric over a fleet.

    Attributes:
        value: milliseconds or percent; None without a report.
        devices: number of devices that have reported.
    """

    value: float | None
    devices: int


@dataclass(frozen=True)
class Criterion:
    """Comparison of a metric with a bound; milliseconds for latencies, percent for rates."""

    metric: str
    operator: str
    bound: float

    @property
    def unit(self) -> str:
        """Unit of the bound."""
        return "ms" if self.metric in LATENCIES else "%"

    def holds(self, measured: FleetMeasurements, least: int) -> bool | None:
        """Return whether the comparison holds; None when fewer than ``least`` devices have reported."""
        if measured.value is None or measured.devices < least:
            return None
        return _OPERATORS[self.operator](measured.value, self.bound)

    def describe(self, measured: FleetMeasurements, least: int) -> str:
        """Return metric, value and bound as text."""
        value = "unknown" if measured.value is None else f"{measured.value:.4g} {self.unit}"
        few = f", {least} are needed" if self.holds(measured, least) is None else ""
        bound = f"{self.operator}{self.bound:g} {self.unit}"
        return f"{self.metric} {value} of {measured.devices} devices{few} (halts at {bound})"


@dataclass(frozen=True)
class ConditionResult:
    """Result of a condition: whether it holds (None: unknown), and the numbers as text."""

    holds: bool | None
    numbers: str


@dataclass(frozen=True)
class Condition:
    """Condition: a disjunction of conjunctions of comparisons."""

    any_of: tuple[tuple[Criterion, ...], ...]

    def judge(self, measure: Callable[[str], FleetMeasurements], least: int) -> ConditionResult:
        """Evaluate the condition over a fleet.

        Args:
            measure: returns the value of a metric by its name.
            least: number of devices that must have reported.
        """
        alternatives = []
        texts = []
        for every in self.any_of:
            found = {c: measure(c.metric) for c in every}
            alternatives.append(_all([c.holds(m, least) for c, m in found.items()]))
            texts += [c.describe(m, least) for c, m in found.items()]
        return ConditionResult(_any(alternatives), "; ".join(dict.fromkeys(texts)))


def parse_condition(text: str) -> Condition:
    """Parse a condition.

    Raises:
        ConfigurationError: the text does not follow the grammar, or a unit does not fit its metric.
    """
    alternatives = re.split(r"\s+or\s+", text.strip())
    return Condition(tuple(tuple(_comparison(c) for c in re.split(r"\s+and\s+", a)) for a in alternatives))


def _comparison(text: str) -> Criterion:
    match = _COMPARISON.fullmatch(text.strip())
    if match is None:
        raise ConfigurationError(
            f"halt condition: {text.strip()!r} is not a comparison; expected such as p99>40ms or "
            "rollback_rate>2%, joined by and, or"
        )
    metric, sign, number, unit = match.groups()
    if metric not in (*LATENCIES, *RATES):
        raise ConfigurationError(
            f"halt condition: {metric!r} is not a metric; expected one of {', '.join((*LATENCIES, *RATES))}"
        )
    if (unit == "%") != (metric in RATES):
        raise ConfigurationError(
            f"halt condition: {metric} has the unit {'%' if metric in RATES else 'ms or s'}, not {unit}"
        )
    return Criterion(metric, sign, float(number) * _UNITS[unit])


def _all(values: list[bool | None]) -> bool | None:
    if False in values:
        return False
    return None if None in values else True


def _any(values: list[bool | None]) -> bool | None:
    if True in values:
        return True
    return None if None in values else False
