"""Energy of an interval, and of one inference in it: (used - idle) / inferences.

The idle baseline is what the same source reads while no inference runs, or what the owner declares. A
declared baseline is of the whole board, so it is not taken from a rail that is a part of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from edgeagent.sensors.energy import Quality, Stretch

IDLE_LEAST_S = 3.0
"""Seconds without inference from which on their mean power is taken as the baseline."""

IDLE_MEMORY_S = 60.0
"""Seconds without inference that the baseline is the mean of; older ones fade."""


@dataclass(frozen=True, slots=True)
class InferenceEnergy:
    """Energy of one inference, and what it was computed from.

    Attributes:
        value_j: (used_j - idle_j) / inferences; below 0 when the idle baseline was not quiet.
        used_j: in the time with a known energy.
        idle_j: the idle baseline over the same time.
        inferences: in that time.
        idle: where the baseline comes from.
    """

    value_j: float
    used_j: float
    idle_j: float
    inferences: int
    idle: Literal["measured", "declared"]


@dataclass(frozen=True, slots=True)
class IntervalEnergy:
    """Energy of an interval.

    Attributes:
        joules: used in ``covered_s``.
        covered_s: seconds whose energy is known.
        uncovered_s: seconds whose energy is not known.
        source, quality: of the sensor.
        per_inference: None without inferences, and without a baseline.
    """

    joules: float
    covered_s: float
    uncovered_s: float
    source: str
    quality: Quality
    per_inference: InferenceEnergy | None


@dataclass(slots=True)
class _Idle:
    joules: float = 0.0
    seconds: float = 0.0


@dataclass(slots=True)
class _Sum:
    joules: float = 0.0
    seconds: float = 0.0
    inferences: int = 0
    lost_s: float = 0.0
    source: str | None = None
    quality: Quality | None = None


@dataclass
class EnergyAccount:
    """Adds up stretches of time.

    When another source takes over within an interval, what the one before measured counts as unknown:
    energies of different sources are not one quantity.

    Args:
        idle_w: declared by the owner; None measures it.
    """

    idle_w: float | None = None
    _sum: _Sum = field(default_factory=_Sum)
    _idle: dict[str, _Idle] = field(default_factory=dict)
    _was_idle: bool = False

    def add(self, stretch: Stretch) -> None:
        """Add a stretch; they follow each other without gaps."""
        total, is_idle = self._sum, stretch.inferences == 0
        if stretch.joules is None or stretch.source is None:
            total.lost_s += stretch.seconds
        else:
            if stretch.source != total.source:
                self._sum = total = _Sum(
                    lost_s=total.lost_s + total.seconds, source=stretch.source, quality=stretch.quality
                )
            total.joules += stretch.joules
            total.seconds += stretch.seconds
            total.inferences += stretch.inferences
            if is_idle and self._was_idle:  # the first one may hold the end of an inference
                self._rest(stretch.source, stretch.joules, stretch.seconds)
        self._was_idle = is_idle

    def take(self) -> IntervalEnergy | None:
        """Return the energy since the last call, and begin anew; None where nothing is known of it."""
        total, self._sum = self._sum, _Sum()
        if total.source is None or total.quality is None:
            return None
        return IntervalEnergy(
            total.joules,
            total.seconds,
            total.lost_s,
            total.source,
            total.quality,
            self._per_inference(total, total.source),
        )

    def _rest(self, source: str, joules: float, seconds: float) -> None:
        idle = self._idle.setdefault(source, _Idle())
        idle.joules += joules
        idle.seconds += seconds
        if idle.seconds > IDLE_MEMORY_S:
            idle.joules *= IDLE_MEMORY_S / idle.seconds
            idle.seconds = IDLE_MEMORY_S

    def _per_inference(self, total: _Sum, source: str) -> InferenceEnergy | None:
        if total.inferences == 0:
            return None
        measured = self._idle.get(source, _Idle())
        declared = self.idle_w is not None and total.quality != "measured rail"
        if declared:
            idle_w = self.idle_w or 0.0
        elif measured.seconds >= IDLE_LEAST_S:
            idle_w = measured.joules / measured.seconds
        else:
            return None
        idle_j = idle_w * total.seconds
        return InferenceEnergy(
            (total.joules - idle_j) / total.inferences,
            total.joules,
            idle_j,
            total.inferences,
            "declared" if declared else "measured",
        )
