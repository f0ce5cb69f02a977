"""Energy: power over time, and what one inference takes of it.

A sensor of power is read every second or so. Between two readings of one source the power is taken to go in a
straight line (trapezoid rule); where a source gives the mean since the reading before, as counters of energy
do, that mean times the time is exact, however long it is. Readings of a moment some seconds apart are not
bridged: what lies between is time without a known energy, and reported as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from edgeagent.sensors.power import Power

Quality = Literal["measured rail", "whole board", "estimated"]

LONGEST_GAP_S = 5.0


class EnergyMeter(Protocol):
    """A counter of energy.

    Attributes:
        source: the sensor's name, for people.
        quality: what the counter covers, or that it is an estimate.
    """

    @property
    def source(self) -> str:
        """The sensor's name."""

    @property
    def quality(self) -> Quality:
        """What the counter covers."""

    def read_j(self) -> float | None:
        """Return joules since the meter was made, never fewer than before; None without a reading."""


@dataclass(frozen=True, slots=True)
class PowerSample:
    """A reading, or that there was none.

    Attributes:
        now_ns: monotonic time.
        power: None without a reading.
        inferences: until now.
    """

    now_ns: int
    power: Power | None
    inferences: int = 0


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time between two samples.

    Attributes:
        seconds: its length.
        joules: used in it; None where that is not known.
        inferences: done in it.
        source, quality: of the power; None where there is none.
    """

    seconds: float
    joules: float | None
    inferences: int
    source: str | None
    quality: Quality | None


def stretch_between(first: PowerSample, second: PowerSample, longest_gap_s: float = LONGEST_GAP_S) -> Stretch:
    """Return the energy between two samples; unknown over a gap, and where the source has changed."""
    seconds = (second.now_ns - first.now_ns) / 1e9
    inferences = second.inferences - first.inferences
    before, after = first.power, second.power
    joules = None
    if after is not None and after.mean and (before is None or before.source == after.source):
        joules = after.watts * seconds
    elif after is not None and before is not None and before.source == after.source:
        joules = (before.watts + after.watts) / 2 * seconds if seconds <= longest_gap_s else None
    if after is None or joules is None:
        return Stretch(seconds, None, inferences, None, None)
    return Stretch(seconds, joules, inferences, after.source, after.quality)
