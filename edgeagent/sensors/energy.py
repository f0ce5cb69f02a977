"""What a sensor of energy gives: joules since some moment, which only grow."""

from __future__ import annotations

from typing import Literal, Protocol

Quality = Literal["measured rail", "whole board", "estimated"]


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
