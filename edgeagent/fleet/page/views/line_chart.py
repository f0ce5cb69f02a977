"""Curves over time as SVG, with axes and a table of the same numbers for those who cannot see them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from edgeagent.web.views.markup import text

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 220, 64, 10, 14, 32
LINES = 6
"""Number of colours of curves."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Curve of a chart: a name, and points of time and value; None is a gap."""

    name: str
    points: Sequence[tuple[datetime, float | None]]


def line_chart(title: str, unit: str, curves: Sequence[Curve], gap_minutes: int) -> str:
    """Return a chart; "" where there is nothing to draw.

    Args:
        title: what is drawn.
        unit: of the values.
        curves: to draw, at most :data:`LINES`.
        gap_minutes: minutes between two points; a longer time without a point is a gap.
    """
    shown = [curve for curve in curves[:LINES] if any(value is not None for _, value in curve.points)]
    times = [at for curve in shown for at, _ in curve.points]
    values = [value for curve in shown for _, value in curve.points if value is not None]
    if not values:
        return ""
    begin, end = min(times).timestamp(), max(times).timestamp()
    span = max(end - begin, 60.0 * gap_minutes)
    top = _rounded_up(max(values))

    def x(at: datetime) -> float:
        return LEFT + (at.timestamp() - begin) / span * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    grid = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(level):.1f}" y2="{y(level):.1f}"/>'
        f'<text class="tick" x="{LEFT - 6}" y="{y(level) + 4:.1f}" text-anchor="end">{_short(level)}</text>'
        for level in (0.0, top / 2, top)
    )
    ends = (
        f'<text class="tick" x="{LEFT}" y="{HEIGHT - 8}">{_stamp(min(times), span)}</text>'
        f'<text class="tick" x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{_stamp(max(times), span)} UTC</text>'
    )
    paths = "".join(_path(curve, number, x, y, gap_minutes) for number, curve in enumerate(shown))
    legend = "".join(
        f'<li><span class="swatch line-{number}"></span>{text(curve.name)}</li>'
        for number, curve in enumerate(shown)
    )
    known = f"{title}: up to {_short(max(values))} {unit}"
    return (
        f'<figure class="chart"><figcaption>{text(title)} <span class="unit">{text(unit)}</span></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(known)}">{grid}{ends}{paths}</svg>'
        f'<ul class="legend">{legend}</ul></figure>'
    )


def _path(
    curve: Curve, number: int, x: Callable[[datetime], float], y: Callable[[float], float], gap_minutes: int
) -> str:
    """Return the pieces of a curve between its gaps; a point alone is a dot."""
    pieces: list[list[tuple[float, float]]] = []
    last: datetime | None = None
    for at, value in curve.points:
        if value is None:
            last = None
            continue
        if last is None or (at - last).total_seconds() > 90 * gap_minutes:
            pieces.append([])
        pieces[-1].append((x(at), y(value)))
        last = at
    lines = "".join(
        "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in piece) for piece in pieces if len(piece) > 1
    )
    dots = "".join(
        f'<circle class="line-{number}" cx="{piece[0][0]:.1f}" cy="{piece[0][1]:.1f}" r="2.5"/>'
        for piece in pieces
        if len(piece) == 1
    )
    return (f'<path class="line-{number}" d="{lines}"/>' if lines else "") + dots


def _rounded_up(value: float) -> float:
    """Return the next of 1, 2, 2.5, 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value)


def _short(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if value >= 100 or value == 0 else f"{value:.3g}"


def _stamp(at: datetime, span_s: float) -> str:
    return at.strftime("%H:%M" if span_s < 86_400 else "%Y-%m-%d")
