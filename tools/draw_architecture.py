"""Draw docs/architecture.svg from docs/architecture.yaml.

``python tools/draw_architecture.py [FILE]`` writes the picture; the same text gives the same bytes. Each way
is a row of boxes from left to right; a link leads from a box to a box of the next row.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import yaml

DOCS = Path(__file__).parents[1] / "docs"
WIDTH, HEIGHT = 186, 76  # of a box, in pixels
GAP, ROW_GAP, MARGIN, TITLE = 28, 54, 20, 24
COLOURS = ("#1565c0", "#2e7d32", "#ad5b00")


def draw(picture: dict[str, Any]) -> str:
    """Return the picture as SVG text.

    Args:
        picture: ``ways`` (``name`` and ``steps``) and ``links``, as in docs/architecture.yaml.
    """
    places: dict[str, tuple[int, int]] = {}
    shapes: list[str] = []
    for row, way in enumerate(picture["ways"]):
        top = MARGIN + row * (TITLE + HEIGHT + ROW_GAP)
        colour = COLOURS[row % len(COLOURS)]
        shapes.append(
            _text(MARGIN, top + 15, way["name"], f'font-size="15" font-weight="bold" fill="{colour}"')
        )
        for column, step in enumerate(way["steps"]):
            left = MARGIN + column * (WIDTH + GAP)
            places[step["id"]] = left, top + TITLE
            shapes += _box(left, top + TITLE, step, colour)
            if column:
                middle = top + TITLE + HEIGHT // 2
                shapes.append(_arrow(f"M {left - GAP + 2} {middle} H {left - 3}", colour))
    for link in picture["links"]:
        shapes += _link(places[link["from"]], places[link["to"]], link["text"])
    columns = max(len(way["steps"]) for way in picture["ways"])
    width = 2 * MARGIN + columns * (WIDTH + GAP) - GAP
    height = 2 * MARGIN + len(picture["ways"]) * (TITLE + HEIGHT + ROW_GAP) - ROW_GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" role="img" '
        'aria-label="The ways of a model, a frame and a message through the packages of edgeagent">'
    )
    marker = (
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M 0 0 L 8 4 L 0 8 z" fill="#555"/></marker></defs>'
    )
    ground = f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
    return "\n".join([head, marker, ground, *shapes, "</svg>"]) + "\n"


def _box(left: int, top: int, step: dict[str, Any], colour: str) -> list[str]:
    outside = "outside" in step
    dashes = ' stroke-dasharray="5 3"' if outside else ""
    fill = "#f5f5f5" if outside else "#ffffff"
    shapes = [
        f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{fill}" '
        f'stroke="{colour}" stroke-width="1.5"{dashes}/>'
    ]
    font = 'font-size="13" font-weight="bold" fill="#222"'
    if not outside:
        font += ' font-family="monospace"'
    shapes.append(_text(left + 10, top + 22, step["outside"] if outside else step["part"], font))
    for line, text in enumerate(step["text"]):
        shapes.append(_text(left + 10, top + 43 + 17 * line, text, 'font-size="12" fill="#444"'))
    return shapes


def _link(start: tuple[int, int], end: tuple[int, int], text: str) -> list[str]:
    """Draw a link down from a box, along the gap between the rows, and down to a box."""
    x0, y0 = start[0] + WIDTH // 2, start[1] + HEIGHT
    x1, y1 = end[0] + WIDTH // 2, end[1]
    lane = y0 + 20
    path = f"M {x0} {y0} V {y1 - 3}" if x0 == x1 else f"M {x0} {y0} V {lane} H {x1} V {y1 - 3}"
    beside = x0 + 8 if x0 == x1 else min(x0, x1) + 8
    return [
        _arrow(path, "#555"),
        _text(beside, lane + 16, text, 'font-size="12" font-style="italic" fill="#555"'),
    ]


def _arrow(path: str, colour: str) -> str:
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5" marker-end="url(#arrow)"/>'


def _text(x: int, y: int, text: str, style: str) -> str:
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS / "architecture.svg"
    text = (DOCS / "architecture.yaml").read_text(encoding="utf-8")
    target.write_text(draw(yaml.safe_load(text)), encoding="utf-8")
