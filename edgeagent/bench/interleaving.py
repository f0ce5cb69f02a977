"""Ratios between rows that took turns: A B C, B C A, C A B, ...

Each round gives one ratio of two rows, from blocks measured moments apart, so that what slows the whole
machine down for a while, heat or another process, slows both. The median of the rounds is reported with its
spread.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from edgeagent.bench.load_generator import Block
from edgeagent.bench.results import SpeedRatio

Item = TypeVar("Item")

BY_RATE = ("offline", "camera")
"""Scenarios whose measure is pictures per second; that of the others is the latency of a query."""


def turn(items: Sequence[Item], number: int) -> list[Item]:
    """Return the items as they come in a round: each round begins with the next one."""
    start = number % len(items) if items else 0
    return [*items[start:], *items[:start]]


def speed(block: Block, scenario: str) -> float:
    """Return pictures/s of a block, or queries/s by their median latency, as the scenario measures."""
    if scenario in BY_RATE:
        return block.samples / block.seconds
    return 1e9 / statistics.median(block.queries_ns)


def speed_ratio(name: str, reference: Sequence[Block], other: Sequence[Block], scenario: str) -> SpeedRatio:
    """Return the speed of a row over that of a reference.

    Args:
        name: of the reference.
        reference: its blocks, one of each round.
        other: the row's blocks of the same rounds.
        scenario: see :func:`speed`.
    """
    ratios = [
        speed(one, scenario) / speed(base, scenario) for base, one in zip(reference, other, strict=True)
    ]
    return SpeedRatio(
        reference=name,
        median=round(statistics.median(ratios), 4),
        q1=round(float(np.percentile(ratios, 25)), 4),
        q3=round(float(np.percentile(ratios, 75)), 4),
        lowest=round(min(ratios), 4),
        highest=round(max(ratios), 4),
        rounds=len(ratios),
    )
