"""Plots of a report as inline SVG, without a plotting package."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from edgeagent.bench.results import BenchRow

COLOURS = {"preprocess": "#0b5cad", "inference": "#c2410c", "decode": "#15803d", "publish": "#7c3aed"}
"""Colours of the stages that add up to the whole; age and end_to_end are not parts of it."""
WIDTH = 900
LEFT, RIGHT = 8, 24
STRIP, BAR = 104, 56
MARKS = (("p50_ms", "p50", ""), ("p90_ms", "p90", "6 3"), ("p99_ms", "p99", "2 3"))
TEXT = "#0f172a"
GREY = "#475569"


def plot_latencies(rows: Sequence[BenchRow]) -> str | None:
    """Return the latency histograms of all rows over a common axis; None without a histogram."""
    drawn = [row for row in rows if row.histogram is not None]
    if not drawn:
        return None
    edges = drawn[0].histogram.edges_ms if drawn[0].histogram else ()
    scale = _Logarithm(edges[0], edges[-1])
    height = STRIP * len(drawn) + 44
    parts = [_start(height, "latency of the queries by engine, ms, logarithmic")]
    bottom = STRIP * len(drawn) + 6
    for tick in _ticks(edges[0], edges[-1]):
        x = scale(tick)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="18" y2="{bottom}" stroke="#e2e8f0"/>')
        parts.append(_text(x, bottom + 16, f"{tick:g}", "middle", GREY))
    parts.append(_text(WIDTH - RIGHT, bottom + 34, "ms, logarithmic", "end", GREY))
    for number, row in enumerate(drawn):
        parts += _strip(row, STRIP * number, scale)
    return "".join([*parts, "</svg>"])


def plot_stages(rows: Sequence[BenchRow]) -> str | None:
    """Return one stacked bar of stage medians per row; None without stages."""
    drawn = [(row, parts) for row in rows if (parts := _medians(row))]
    if not drawn:
        return None
    longest = max(sum(parts.values()) for _, parts in drawn)
    per_ms = (WIDTH - LEFT - RIGHT - 110) / longest
    height = BAR * len(drawn) + 34
    out = [_start(height, "medians of the stages by engine, ms")]
    for number, (row, parts) in enumerate(drawn):
        y, x = BAR * number, float(LEFT)
        out.append(_text(LEFT, y + 16, row.name, "start", TEXT))
        for stage, value in parts.items():
            width = value * per_ms
            out.append(
                f'<rect x="{x:.1f}" y="{y + 23}" width="{max(width, 0.5):.1f}" height="22" '
                f'fill="{COLOURS[stage]}"><title>{stage} {value:.2f} ms</title></rect>'
            )
            if width > 60:
                out.append(_text(x + width / 2, y + 39, f"{value:.2f}", "middle", "#fff"))
            x += width
        out.append(_text(x + 6, y + 39, f"sum {sum(parts.values()):.2f} ms", "start", TEXT))
    x, y = float(LEFT), BAR * len(drawn) + 12
    stages = dict.fromkeys(stage for _, parts in drawn for stage in parts)
    for stage in stages:
        out.append(f'<rect x="{x:.0f}" y="{y}" width="12" height="12" fill="{COLOURS[stage]}"/>')
        out.append(_text(x + 18, y + 11, stage, "start", GREY))
        x += 36 + 8 * len(stage)
    return "".join([*out, "</svg>"])


class _Logarithm:
    """Logarithmic scale from milliseconds to pixels."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._span = math.log(low), math.log(high) - math.log(low)

    def __call__(self, value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log(value) - self._low) / self._span


def _strip(row: BenchRow, top: float, scale: _Logarithm) -> list[str]:
    histogram = row.histogram
    if histogram is None:
        return []
    most, base, tall = max(histogram.counts), top + STRIP, STRIP - 56
    parts = [_text(LEFT, top + 24, f"{row.name}, {row.count} queries", "start", TEXT)]
    bars = zip(histogram.counts, histogram.edges_ms[:-1], histogram.edges_ms[1:], strict=True)
    for count, low, high in bars:
        if count:
            x, height = scale(low), max(1.0, tall * count / most)
            parts.append(
                f'<rect x="{x:.1f}" y="{base - height:.1f}" width="{scale(high) - x:.1f}" '
                f'height="{height:.1f}" fill="#0b5cad" fill-opacity=".65">'
                f"<title>{low:.2f} to {high:.2f} ms: {count}</title></rect>"
            )
    parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}" stroke="#94a3b8"/>')
    ends = -math.inf
    for field, label, dashes in MARKS:
        value = getattr(row, field)
        if value is None:
            continue
        x = scale(value)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{base - tall - 16}" y2="{base}" stroke="#c2410c" '
            f'stroke-width="1.5" stroke-dasharray="{dashes}"/>'
        )
        text = f"{label} {value:.2f}"
        right = x + 4 + 6.5 * len(text) > WIDTH - RIGHT
        at = max(x - 4 if right else x + 4, ends)
        parts.append(
            _text(at, base - tall - 6, text, "end" if right and at < x else "start", "#c2410c", True)
        )
        ends = at + 6.5 * len(text) + 10
    return parts


def _medians(row: BenchRow) -> dict[str, float]:
    found = {stage: row.stages[stage].p50_ms for stage in COLOURS if stage in row.stages}
    return {stage: value for stage, value in found.items() if value is not None}


def _ticks(low: float, high: float) -> list[float]:
    coarse, fine = (1, 2, 5), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)
    steps = coarse if high / low > 30 else (1, 1.5, 2, 3, 4, 5, 7) if high / low > 4 else fine
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [round(step * 10.0**exponent, 9) for exponent in exponents for step in steps]
    return [tick for tick in ticks if low <= tick <= high]


def _start(height: float, label: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(label)}" font-family="system-ui, sans-serif" font-size="12">'
    )


def _text(x: float, y: float, text: str, anchor: str, colour: str, halo: bool = False) -> str:
    edge = ' stroke="#fff" stroke-width="3" paint-order="stroke"' if halo else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{edge}>{escape(text)}</text>'
