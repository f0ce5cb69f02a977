"""Energy of a reporting interval and of one inference: (used - idle) / inferences.

The idle baseline is the mean power of the same source while no inference runs, or the declared idle power. A
declared baseline covers the whole board, so it is applied only to readings that cover it too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from edgeagent.sensors.energy import IntegrationStep, Quality

DECLARED_BASELINE: tuple[Quality, ...] = ("whole board", "estimated")
"""Qualities whose readings cover what the declared idle power covers."""

MIN_IDLE_S = 3.0
"""Seconds without inference that a measured baseline needs."""

IDLE_WINDOW_S = 60.0
"""Seconds without inference over which the baseline is averaged; older time is weighted down."""


@dataclass(frozen=True, slots=True)
class InferenceEnergy:
    """Energy of one inference with its terms.

    Attributes:
        value_j: (used_j - idle_j) / inferences in joules; negative when the baseline was measured under load.
        used_j: energy in the time whose energy is known.
        idle_j: baseline power times the same time.
        inferences: number of inferences in that time.
        idle: origin of the baseline.
    """

    value_j: float
    used_j: float
    idle_j: float
    inferences: int
    idle: Literal["measured", "declared"]


@dataclass(frozen=True, slots=True)
class IntervalEnergy:
    """Energy of a reporting interval.

    Attributes:
        joules: energy used in ``covered_s``.
        covered_s: seconds whose energy is known.
        uncovered_s: seconds whose energy is unknown.
        source, quality: sensor and coverage.
        per_inference: energy of one inference; None without inferences or without a baseline.
    """

    joules: float
    covered_s: float
    uncovered_s: float
    source: str
    quality: Quality
    per_inference: InferenceEnergy | None


@dataclass(slots=True)
class _IdleBaseline:
    joules: float = 0.0
    seconds: float = 0.0


@dataclass(slots=True)
class _Totals:
    joules: float = 0.0
    seconds: float = 0.0
    inferences: int = 0
    unknown_s: float = 0.0
    source: str | None = None
    quality: Quality | None = None


@dataclass
class EnergyAccount:
    """Accumulator of integration steps.

    When the source changes within an interval, the energy measured by the previous source counts as unknown:
    energies of different sources are not added.

    Args:
        idle_w: declared idle power in watts; None measures it.
    """

    idle_w: float | None = None
    _totals: _Totals = field(default_factory=_Totals)
    _baselines: dict[str, _IdleBaseline] = field(default_factory=dict)
    _was_idle: bool = False

    def add(self, step: IntegrationStep) -> None:
        """Add a step; consecutive steps share a sample."""
        totals, is_idle = self._totals, step.inferences == 0
        if step.joules is None or step.source is None:
            totals.unknown_s += step.seconds
        else:
            if step.source != totals.source:
                self._totals = totals = _Totals(
                    unknown_s=totals.unknown_s + totals.seconds, source=step.source, quality=step.quality
                )
            totals.joules += step.joules
            totals.seconds += step.seconds
            totals.inferences += step.inferences
            if is_idle and self._was_idle:  # the first idle step can contain the end of an inference
                self._update_baseline(step.source, step.joules, step.seconds)
        self._was_idle = is_idle

    def take(self) -> IntervalEnergy | None:
        """Return the energy since the last call and reset the totals; None when no energy is known."""
        totals, self._totals = self._totals, _Totals()
        if totals.source is None or totals.quality is None:
            return None
        return IntervalEnergy(
            totals.joules,
            totals.seconds,
            totals.unknown_s,
            totals.source,
            totals.quality,
            self._per_inference(totals, totals.source),
        )

    def _update_baseline(self, source: str, joules: float, seconds: float) -> None:
        baseline = self._baselines.setdefault(source, _IdleBaseline())
        baseline.joules += joules
        baseline.seconds += seconds
        if baseline.seconds > IDLE_WINDOW_S:
            baseline.joules *= IDLE_WINDOW_S / baseline.seconds
            baseline.seconds = IDLE_WINDOW_S

    def _per_inference(self, totals: _Totals, source: str) -> InferenceEnergy | None:
        if totals.inferences == 0:
            return None
        measured = self._baselines.get(source, _IdleBaseline())
        declared = self.idle_w is not None and totals.quality in DECLARED_BASELINE
        if declared:
            idle_w = self.idle_w or 0.0
        elif measured.seconds >= MIN_IDLE_S:
            idle_w = measured.joules / measured.seconds
        else:
            return None
        idle_j = idle_w * totals.seconds
        return InferenceEnergy(
            (totals.joules - idle_j) / totals.inferences,
            totals.joules,
            idle_j,
            totals.inferences,
            "declared" if declared else "measured",
        )
