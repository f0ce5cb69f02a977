"""Energy: power integrated over time.

Power sensors are sampled about once a second. Between two instantaneous readings of one source the power is
interpolated linearly (trapezoidal rule). Where a source gives the mean since its last reading, as energy
counters do, mean times duration is exact over any duration. Instantaneous readings more than
:data:`LONGEST_GAP_S` apart are not integrated: the energy of that time is unknown and reported as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from edgeagent.sensors.power import Power

Quality = Literal["measured rail", "module", "whole board", "estimated"]
"""What a reading covers; ``module`` is the input of a Jetson's module, without its carrier board."""

LONGEST_GAP_S = 5.0
"""Seconds between two instantaneous readings above which the energy between them is unknown."""


class EnergyMeter(Protocol):
    """Protocol of an energy counter.

    Attributes:
        source: name of the sensor, for display.
        quality: what the counter covers, or ``estimated``.
    """

    @property
    def source(self) -> str:
        """Name of the sensor."""

    @property
    def quality(self) -> Quality:
        """What the counter covers."""

    def read_j(self) -> float | None:
        """Return joules since the meter was created, never decreasing; None without a reading."""


@dataclass(frozen=True, slots=True)
class PowerSample:
    """Power reading with its time.

    Attributes:
        now_ns: monotonic time in nanoseconds.
        power: the reading; None when the sensor gave none.
        inferences: number of inferences so far.
    """

    now_ns: int
    power: Power | None
    inferences: int = 0


@dataclass(frozen=True, slots=True)
class IntegrationStep:
    """Energy between two power samples.

    Attributes:
        seconds: time between the samples.
        joules: energy used in that time; None when unknown.
        inferences: number of inferences in that time.
        source, quality: sensor and coverage; None when the energy is unknown.
    """

    seconds: float
    joules: float | None
    inferences: int
    source: str | None
    quality: Quality | None


def integrate_power(
    first: PowerSample, second: PowerSample, longest_gap_s: float = LONGEST_GAP_S
) -> IntegrationStep:
    """Return the energy between two samples; unknown over a gap or when the source has changed."""
    seconds = (second.now_ns - first.now_ns) / 1e9
    inferences = second.inferences - first.inferences
    before, after = first.power, second.power
    joules = None
    if after is not None and after.mean and (before is None or before.source == after.source):
        joules = after.watts * seconds
    elif after is not None and before is not None and before.source == after.source:
        joules = (before.watts + after.watts) / 2 * seconds if seconds <= longest_gap_s else None
    if after is None or joules is None:
        return IntegrationStep(seconds, None, inferences, None, None)
    return IntegrationStep(seconds, joules, inferences, after.source, after.quality)
