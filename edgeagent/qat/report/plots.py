"""Plots of a report, as SVG elements of an HTML page."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from edgeagent.bundle.evidence import ArtefactParity, SensitivityRecord, TrainingPoint

COLOURS = ("#0b5cad", "#c2410c", "#15803d", "#7c3aed", "#a16207", "#be185d")
MOST_BARS = 25
_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e2e8f0",
    "axes.axisbelow": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "edgeagent",  # reproducible output
}


def plot_training(points: Sequence[TrainingPoint]) -> str:
    """Return a plot of the losses over the steps, with validation mAP on a second axis."""
    with mpl.rc_context(_STYLE):
        figure = Figure((7.2, 3.2), layout="constrained")
        axes = figure.subplots()
        steps = [point.step for point in points]
        axes.plot(steps, [point.loss for point in points], color=COLOURS[0], linewidth=1.2, label="loss")
        axes.set(xlabel="step", ylabel="loss")
        axes.set_ylim(bottom=0)
        held_out = [(point.step, point.held_out) for point in points if point.held_out is not None]
        if held_out:
            axes.plot(*zip(*held_out, strict=True), "o-", color=COLOURS[2], markersize=4, label="held out")
        measured = [(point.step, point.validation) for point in points if point.validation is not None]
        if measured:
            right = axes.twinx()
            right.plot(*zip(*measured, strict=True), "o-", color=COLOURS[1], markersize=4, label="mAP50-95")
            right.set_ylabel("mAP50-95 on the validation pictures")
            right.grid(visible=False)
        if held_out or measured:
            figure.legend(loc="outside upper right", ncols=3, frameon=False)
        return _svg(figure)


def plot_sensitivity(nodes: Sequence[SensitivityRecord]) -> str:
    """Return a plot of the error that each quantized node adds, highest first.

    Nodes of no positive error have no bar; :func:`sensitivity_remark` counts them.
    """
    worst = [item for item in sorted(nodes, key=lambda item: -item.error) if item.error > 0][:MOST_BARS]
    with mpl.rc_context(_STYLE):
        figure = Figure((7.2, 0.6 + 0.22 * len(worst)), layout="constrained")
        axes = figure.subplots()
        names = [item.node if len(item.node) <= 40 else f"...{item.node[-38:]}" for item in worst]
        axes.barh(range(len(worst)), [item.error for item in worst], color=COLOURS[0])
        axes.set_yticks(range(len(worst)), names, fontsize=8)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlim(left=0)
        axes.set(xlabel="error of the outputs that quantizing this node adds")
        return _svg(figure)


def sensitivity_remark(nodes: Sequence[SensitivityRecord]) -> str:
    """Return what the plot of the sensitivity shows, and which nodes it leaves out."""
    costly = sum(item.error > 0 for item in nodes)
    text = f"The {min(costly, MOST_BARS)} worst of {len(nodes)} nodes."
    below = [item.error for item in nodes if item.error <= 0]
    if below:
        text += (
            f" Quantizing {len(below)} nodes adds no error (lowest difference {min(below):.2g}): training "
            "has fitted other nodes to their rounding, or it is within the noise of the pictures. "
            "Differences of this size say nothing in either direction."
        )
    return text


def plot_parity(artefacts: Sequence[ArtefactParity]) -> str:
    """Return a plot over the layers: share of different codes alone, and accumulated mean difference."""
    with mpl.rc_context(_STYLE):
        figure = Figure((7.2, 5.2), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        for item, colour in zip(artefacts, COLOURS * len(artefacts), strict=False):
            label = f"{item.file}, {' '.join(item.engine.split()[:2])}"
            alone = [(n, layer.alone.share) for n, layer in enumerate(item.layers) if layer.alone]
            above.plot(*_columns(alone), ".", color=colour, markersize=4, alpha=0.6)
            means = [(n, layer.accumulated.mean) for n, layer in enumerate(item.layers)]
            below.plot(*_columns(means), color=colour, linewidth=1, alpha=0.8, label=label)
        above.set(title="each layer alone, given the trained codes", ylabel="share of codes that differ")
        below.set(
            title="all layers from the picture on", ylabel="mean difference, steps", xlabel="quantized tensor"
        )
        above.set_ylim(bottom=0)
        below.set_ylim(bottom=0)
        figure.legend(loc="outside lower center", ncols=1, frameon=False)
        return _svg(figure)


def _columns(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _svg(figure: Any) -> str:
    """Return a figure as an SVG element without a fixed size."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    element = text[text.index("<svg") :]
    return re.sub(r'<svg [^>]*?width="[^"]*"', _without_size, element, count=1)


def _without_size(start: re.Match[str]) -> str:
    return re.sub(r' (width|height)="[^"]*"', "", start.group(0))
