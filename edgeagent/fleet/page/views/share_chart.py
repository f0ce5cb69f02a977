"""Distributions of latency as SVG: share of the frames up to each latency, on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from edgeagent.timing.histogram import PER_DOUBLING
from edgeagent.web.views.markup import text

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 240, 72, 12, 14, 32
TICKS = tuple(step * 10.0**power for power in range(-2, 5) for step in (1, 1.5, 2, 3, 5, 7))


def share_chart(title: str, histograms: Sequence[tuple[str, Mapping[int, int]]]) -> str:
    """Return a chart of cumulative shares.

    Args:
        title: what is drawn.
        histograms: name, and buckets as index to count (:mod:`edgeagent.timing.histogram`).
    """
    given = [(name, sorted(buckets.items())) for name, buckets in histograms if buckets]
    if not given:
        return ""
    low = min(buckets[0][0] for _, buckets in given) - 4
    high = max(buckets[-1][0] for _, buckets in given) + 4

    def x(index: float) -> float:
        return LEFT + (index - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(share: float) -> float:
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    grid = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(share):.1f}" y2="{y(share):.1f}"/>'
        f'<text class="tick" x="{LEFT - 6}" y="{y(share) + 4:.1f}" text-anchor="end">{100 * share:.0f} %</text>'
        for share in (0.0, 0.5, 0.9, 1.0)
    )
    ticks = [(ms, x(math.log2(ms) * PER_DOUBLING)) for ms in TICKS]
    shown = [(ms, place) for ms, place in ticks if LEFT <= place <= WIDTH - RIGHT - 12]
    axis = "".join(
        f'<text class="tick" x="{place:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{ms:g} ms</text>'
        for (ms, place), (_, before) in zip(shown, [(0.0, -100.0), *shown], strict=False)
        if place - before > 84
    )
    paths = "".join(_path(number, buckets, x, y) for number, (_, buckets) in enumerate(given))
    legend = "".join(
        f'<li><span class="swatch line-{number}"></span>{text(name)}</li>'
        for number, (name, _) in enumerate(given)
    )
    return (
        f'<figure class="chart"><figcaption>{text(title)}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(title)}">{grid}{axis}{paths}</svg>'
        f'<ul class="legend">{legend}</ul></figure>'
    )


def _path(
    number: int,
    buckets: Sequence[tuple[int, int]],
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> str:
    total, below = sum(count for _, count in buckets), 0
    points = [f"{x(buckets[0][0]):.1f} {y(0):.1f}"]
    for index, count in buckets:
        below += count
        points.append(f"{x(index + 1):.1f} {y(below / total):.1f}")
    return f'<path class="line-{number}" d="M{"L".join(points)}"/>'
