"""Recipes of quantization without training, and which of them a search tries.

The ``fast`` recipes are those that won where all were measured (docs/adr/0010): ranges of least error,
weighted by its cost at the heads, with corrected biases or weights, and ranges of least squared error with
corrected weights; all on the equalized graph where there is something to equalize.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Ranges = Literal["minmax", "percentile", "mse", "average", "weighted", "per-tensor"]
Correction = Literal["bias", "weights"]
Effort = Literal["full", "fast", "none"]

RANGES: tuple[Ranges, ...] = ("minmax", "percentile", "mse", "average", "weighted", "per-tensor")
PLAIN: Ranges = "percentile"
"""Ranges without a search: most robust against a few dominant channels."""


@dataclass(frozen=True)
class PtqRecipe:
    """Recipe of a quantization without training.

    Attributes:
        ranges: method of the ranges of activations.
        equalized: whether the graph is equalized first, and uneven channels are put into groups.
        correction: what is corrected afterwards; None for nothing.
    """

    ranges: Ranges
    equalized: bool = False
    correction: Correction | None = None

    @property
    def name(self) -> str:
        """Name for people and records, such as ``mse + equalized + weights``."""
        parts = (self.ranges, "equalized" if self.equalized else "", self.correction or "")
        return " + ".join(filter(None, parts))

    @property
    def uncorrected(self) -> PtqRecipe:
        """Recipe without the correction."""
        return replace(self, correction=None)

    def corrected(self) -> tuple[PtqRecipe, PtqRecipe]:
        """Return the recipe with corrected biases, and with corrected weights and biases."""
        return replace(self, correction="bias"), replace(self, correction="weights")


def first_recipes(effort: Effort, equalizable: bool) -> tuple[PtqRecipe, ...]:
    """Return the recipes that a search tries whatever their results are.

    Args:
        effort: ``full``, ``fast``, or ``none`` for the plain ranges alone.
        equalizable: whether there is something to equalize in the graph.
    """
    if effort == "none":
        return (PtqRecipe(PLAIN),)
    if effort == "fast":
        return (
            *PtqRecipe("weighted", equalizable).corrected(),
            PtqRecipe("mse", equalizable, "weights"),
        )
    graphs = (False, True) if equalizable else (False,)
    return tuple(PtqRecipe(ranges, equalized) for equalized in graphs for ranges in RANGES)


def most_recipes(effort: Effort, equalizable: bool) -> int:
    """Return the largest number of recipes that a search may try."""
    first = len(first_recipes(effort, equalizable))
    return first + 4 if effort == "full" else first
