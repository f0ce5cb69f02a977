"""Speed ratios of interleaved rows: A B C, B C A, C A B, ...

Each round gives one ratio of two rows from blocks measured in quick succession, so temporary slowdowns of the
machine (heat, other processes) affect both. The median over the rounds is reported with quartiles and range.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from edgeagent.bench.load_generator import Block
from edgeagent.bench.results import SpeedRatio

Item = TypeVar("Item")

THROUGHPUT_SCENARIOS = ("offline", "camera")
"""Scenarios measured in pictures per second; the others measure the latency of a query."""


def round_order(items: Sequence[Item], number: int) -> list[Item]:
    """Return the order of the items in round ``number``: each round starts with the next item."""
    start = number % len(items) if items else 0
    return [*items[start:], *items[:start]]


def block_speed(block: Block, scenario: str) -> float:
    """Return the speed of a block: pictures/s in throughput scenarios, else 1 / median latency in 1/s."""
    if scenario in THROUGHPUT_SCENARIOS:
        return block.samples / block.seconds
    return 1e9 / statistics.median(block.queries_ns)


def speed_ratio(name: str, reference: Sequence[Block], other: Sequence[Block], scenario: str) -> SpeedRatio:
    """Return the ratio of a row's speed to that of a reference.

    Args:
        name: name of the reference.
        reference: blocks of the reference, one per round.
        other: blocks of the row in the same rounds.
        scenario: see :func:`block_speed`.
    """
    ratios = [
        block_speed(one, scenario) / block_speed(base, scenario)
        for base, one in zip(reference, other, strict=True)
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
