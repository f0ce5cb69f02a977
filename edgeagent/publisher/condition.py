"""Condition that halts a rollout, such as ``p99>control+10% or rollback_rate>2%``.

::

    condition  = all { "or" all }
    all        = comparison { "and" comparison }
    comparison = metric ( ">" | ">=" | "<" | "<=" ) [ "control" ( "+" | "-" ) ] number unit

A comparison with the control group holds where the whole interval of the difference is beyond the bound, so
that chance alone halts no rollout (:mod:`edgeagent.publisher.control_group`). With too little data a
comparison is unknown, neither true nor false, and so may be the condition (Kleene's three-valued logic).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edgeagent.errors import ConfigurationError
from edgeagent.publisher.control_group import Difference

LATENCIES = ("p50", "p90", "p99")
TRIAL_RATES = ("rollback_rate", "rejected_rate")
"""Only devices that try a release can have these, so there is no control group."""
RATES = (*TRIAL_RATES, "offline_rate", "alarm_rate", "agreement")
ENERGIES = ("joules",)
METRICS = (*LATENCIES, *RATES, *ENERGIES)
MOST_BOUND = 1e9
"""Largest bound: milliseconds (11 days), percent or joules."""
_UNITS = {"ms": 1.0, "s": 1000.0, "%": 1.0, "J": 1.0, "mJ": 0.001}
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_COMPARISON = re.compile(
    r"([a-z0-9_]+)\s*(>=|<=|>|<)\s*(?:(control)\s*([+-])\s*)?([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z%]*)"
)


def is_relative(metric: str, unit: str) -> bool:
    """Return whether a bound in this unit is a share of the control group's value: 10 % of milliseconds."""
    return unit == "%" and metric not in RATES


@dataclass(frozen=True)
class FleetMeasurements:
    """Value of a metric over a fleet.

    Attributes:
        value: milliseconds, percent or joules; None without a report.
        devices: number of devices that have reported.
    """

    value: float | None
    devices: int


class RolloutEvidence(Protocol):
    """What a fleet has measured with a release."""

    def measure(self, metric: str) -> FleetMeasurements:
        """Return a metric over the devices that run the release, or have tried it."""

    def compare(self, metric: str, *, relative: bool) -> Difference | None:
        """Compare these devices with the control group; None where that is too small."""


@dataclass(frozen=True)
class Criterion:
    """Comparison of a metric with a bound.

    Attributes:
        metric: one of :data:`METRICS`.
        operator: of the comparison.
        bound: milliseconds for latencies, percent for rates, joules; percent where it is relative.
        control: whether the bound is added to the value of the control group.
        relative: whether the bound is a share of the value of the control group.
    """

    metric: str
    operator: str
    bound: float
    control: bool = False
    relative: bool = False

    @property
    def unit(self) -> str:
        """Unit of the metric."""
        return "ms" if self.metric in LATENCIES else "J" if self.metric in ENERGIES else "%"

    def judge(self, evidence: RolloutEvidence, least: int) -> ConditionResult:
        """Compare; unknown when fewer than ``least`` devices have reported, in either group."""
        if self.control:
            return self._judge_difference(evidence.compare(self.metric, relative=self.relative), least)
        measured = evidence.measure(self.metric)
        known = measured.value is not None and measured.devices >= least
        holds = _OPERATORS[self.operator](measured.value or 0.0, self.bound) if known else None
        value = "unknown" if measured.value is None else f"{measured.value:.4g} {self.unit}"
        few = "" if known else f", {least} are needed"
        bound = f"{self.operator}{self.bound:g} {self.unit}"
        text = f"{self.metric} {value} of {measured.devices} devices{few} (halts at {bound})"
        return ConditionResult(holds, text)

    def _judge_difference(self, difference: Difference | None, least: int) -> ConditionResult:
        unit = "%" if self.relative else self.unit
        bound = f"{self.operator}control{self.bound:+g} {unit}"
        if difference is None:
            return ConditionResult(
                None, f"{self.metric} cannot be compared: too few devices of one board (halts at {bound})"
            )
        scale = 100.0 if self.relative else 1.0
        low, high = difference.low * scale, difference.high * scale
        least_devices = min(difference.treated_devices, difference.control_devices)
        beyond = low if self.operator in (">", ">=") else high
        holds = _OPERATORS[self.operator](beyond, self.bound) if least_devices >= least else None
        few = "" if holds is not None else f", {least} are needed"
        text = (
            f"{self.metric} {difference.treated:.4g} {self.unit} of {difference.treated_devices} devices, "
            f"{difference.control:.4g} of {difference.control_devices} control devices{few}; difference "
            f"{low:+.3g} to {high:+.3g} {unit} (halts at {bound})"
        )
        return ConditionResult(holds, text)


@dataclass(frozen=True)
class ConditionResult:
    """Result of a condition: whether it holds (None: unknown), and the numbers as text."""

    holds: bool | None
    numbers: str


@dataclass(frozen=True)
class Condition:
    """Condition: a disjunction of conjunctions of comparisons."""

    any_of: tuple[tuple[Criterion, ...], ...]

    def judge(self, evidence: RolloutEvidence, least: int) -> ConditionResult:
        """Evaluate the condition over a fleet.

        Args:
            evidence: values of the metrics.
            least: number of devices that must have reported, in each group that is compared.
        """
        criteria = dict.fromkeys(criterion for every in self.any_of for criterion in every)
        found = {criterion: criterion.judge(evidence, least) for criterion in criteria}
        alternatives = [_all([found[criterion].holds for criterion in every]) for every in self.any_of]
        numbers = "; ".join(dict.fromkeys(result.numbers for result in found.values()))
        return ConditionResult(_any(alternatives), numbers)


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
            f"halt condition: {text.strip()!r} is not a comparison; expected such as p99>40ms, "
            "p99>control+10% or rollback_rate>2%"
        )
    metric, comparison, control, sign, number, unit = match.groups()
    if metric not in METRICS:
        raise ConfigurationError(
            f"halt condition: {metric!r} is not a metric; expected one of {', '.join(METRICS)}"
        )
    if control and metric in TRIAL_RATES:
        raise ConfigurationError(
            f"halt condition: {metric} has no control group, since only devices that try a release can have "
            f"it; expected such as {metric}>2%"
        )
    units = ("%",) if metric in RATES else ("J", "mJ") if metric in ENERGIES else ("ms", "s")
    if not unit:
        fitting = " or ".join(dict.fromkeys((*units, "%")) if control else units)
        raise ConfigurationError(f"halt condition: {text.strip()!r} has no unit; {metric} takes {fitting}")
    if unit not in (*units, "%") or (unit == "%" and metric not in RATES and not control):
        raise ConfigurationError(
            f"halt condition: {metric} has the unit {' or '.join(units)}, not {unit}"
            + ("" if metric in RATES else f"; a share needs a control group, such as {metric}>control+10%")
        )
    bound = float(number) * _UNITS[unit]
    if bound > MOST_BOUND:
        shown = number if len(number) <= 20 else f"{number[:20]}..."
        raise ConfigurationError(
            f"halt condition: {shown} {unit} is too large for a bound; no fleet reaches it"
        )
    signed = -bound if sign == "-" else bound
    return Criterion(metric, comparison, signed, control is not None, is_relative(metric, unit))


def _all(values: list[bool | None]) -> bool | None:
    if False in values:
        return False
    return None if None in values else True


def _any(values: list[bool | None]) -> bool | None:
    if True in values:
        return True
    return None if None in values else False
