"""Models by board and delegate, and what each update changed."""

from __future__ import annotations

from collections.abc import Sequence

from edgeagent.fleet.page.permalinks import place
from edgeagent.fleet.page.views.data_age import MODELS_LATE_S, write_data_age
from edgeagent.fleet.page.views.fleet_table import choice, tabs
from edgeagent.fleet.page.views.teaching import no_models
from edgeagent.fleet.queries.model_figures import ModelFigures, ModelFilter
from edgeagent.fleet.queries.table_age import TableAge
from edgeagent.fleet.queries.time_span import SPANS, TimeSpan
from edgeagent.fleet.queries.update_effects import UpdateEffect
from edgeagent.web.views.markup import absent, badge, card, empty, shown_number, table, text

FEW = "too few frames for this percentile"
NO_ENERGY = "no board of these measures it"
MODEL_SPANS = tuple(name for name in SPANS if name not in ("6h",))
CLEAR = 0.05
"""Relative difference from which a change is coloured."""


def write_models(
    figures: Sequence[ModelFigures],
    effects: Sequence[UpdateEffect],
    condition: ModelFilter,
    span: TimeSpan,
    age: TableAge | None = None,
) -> str:
    """Return the HTML of the view.

    Args:
        figures: by model, board and delegate.
        effects: of each version.
        condition: that the figures fulfil.
        span: of time.
        age: of the tables.
    """
    given = {name: value for name, value in condition.model_dump().items() if value}
    spans = tabs(
        "Span", [(name, place("/models", given, span=name), name == span.name) for name in MODEL_SPANS]
    )
    files = f'<a class="button quiet" href="{text(place("/models.csv", given, span=span.name))}">CSV</a>'
    shown = table("Models", HEAD, [_row(one) for one in figures]) if figures else no_models()
    return (
        f'<div class="head"><h1>Models</h1><div class="row">{files}<a class="button quiet" href="/compare">Compare two</a></div></div>'
        f'{spans}{_form(figures, condition, span)}<p class="about">{write_data_age(age, MODELS_LATE_S)}</p>'
        + card(
            "figures",
            "Figures",
            shown,
            "Latency is from capture to detections, over all frames of all devices: merged histograms.",
            wide=True,
        )
        + card("effects", "Before and after an update", _effects(effects), EFFECTS, wide=True)
    )


HEAD = [
    "Model", "Board", "Delegate", "Devices", "Frames", "p50, ms", "p90, ms", "p99, ms", "Inference p50", "mJ/inference", "Dropped",
    "mAP50-95", "Claimed", "Below",
]  # fmt: skip
EFFECTS = (
    "Each version beside the one before it on the same board and delegate; above 1 is more than before. The devices of the two "
    "may differ: a hot day or a faster camera is not told apart here."
)


def _form(figures: Sequence[ModelFigures], condition: ModelFilter, span: TimeSpan) -> str:
    def values(name: str) -> list[str]:
        return sorted({getattr(one, name) for one in figures})

    return (
        f'<form class="filters" method="get" action="/models"><input type="hidden" name="span" value="{span.name}">'
        + choice("bundle", "Model", values("bundle"), condition.bundle)
        + choice("version", "Version", values("version"), condition.version)
        + choice("board", "Board", values("board"), condition.board)
        + choice("delegate", "Delegate", values("delegate"), condition.delegate)
        + '<button>Filter</button><a class="button quiet" href="/models">All</a></form>'
    )


def model_name(one: ModelFigures) -> str:
    """Return name and version."""
    return f"{one.bundle} {one.version}" if one.bundle else "not known"


def _row(one: ModelFigures) -> list[str]:
    joules = None if one.joules_per_inference is None else 1000 * one.joules_per_inference
    dropped = None if one.dropped_share is None else 100 * one.dropped_share
    name = text(model_name(one))
    if one.bundle:
        name = f'<a href="{text(place("/devices", {"model": model_name(one), "board": one.board, "delegate": one.delegate}))}">{name}</a>'
    below = (
        absent("no device has measured it")
        if not one.measured
        else f"{badge('warn', one.below) if one.below else badge('good', 0)} of {one.measured}"
    )
    return [
        name,
        text(one.board or "not known"),
        text(one.delegate or "not known"),
        shown_number(one.devices, digits=0, why="no device runs it now"),
        shown_number(one.frames, digits=0),
        shown_number(one.p50_ms, why=FEW),
        shown_number(one.p90_ms, why=FEW),
        shown_number(one.p99_ms, why=FEW),
        shown_number(one.inference_p50_ms, why=FEW),
        shown_number(joules, digits=0, why=NO_ENERGY),
        shown_number(dropped, "%", 2),
        shown_number(one.map50_95, digits=3, why="no device has measured it"),
        shown_number(one.map_claimed, digits=3, why="no claim is known"),
        below,
    ]


def _effects(effects: Sequence[UpdateEffect]) -> str:
    rows = [
        [
            f"{text(one.bundle)} {text(one.before)} → {text(one.after)}",
            text(one.board or "not known"),
            text(one.delegate or "not known"),
            ratio(one.p50_ratio),
            ratio(one.p99_ratio),
            ratio(one.joules_ratio),
            accuracy_difference(one.map_difference),
        ]
        for one in effects
    ]
    head = [
        "Update",
        "Board",
        "Delegate",
        "p50, after / before",
        "p99, after / before",
        "Energy, after / before",
        "mAP, after - before",
    ]
    return (
        table("Updates", head, rows)
        if rows
        else empty("No update in this span", "Two versions of one model are compared here.")
    )


def ratio(value: float | None) -> str:
    """Return a ratio of which less is better."""
    if value is None:
        return absent("not known for both")
    kind = "bad" if value > 1 + CLEAR else "good" if value < 1 - CLEAR else "plain"
    return badge(kind, f"{value:.2f}")


def accuracy_difference(value: float | None) -> str:
    """Return a difference of accuracies, of which more is better."""
    if value is None:
        return absent("not measured for both")
    kind = "bad" if value < -0.005 else "good" if value > 0.005 else "plain"
    return badge(kind, f"{value:+.3f}")
