"""Two models, boards or delegates side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeagent.fleet.page.permalinks import place
from edgeagent.fleet.page.views.fleet_table import choice, tabs
from edgeagent.fleet.page.views.models import FEW, MODEL_SPANS, NO_ENERGY, accuracy_difference, ratio
from edgeagent.fleet.page.views.share_chart import share_chart
from edgeagent.fleet.queries.model_figures import ModelFigures, ModelFilter
from edgeagent.fleet.queries.time_span import TimeSpan
from edgeagent.timing.histogram import Histogram
from edgeagent.web.views.markup import card, empty, shown_number, table, text

STAGES = ("end_to_end", "inference", "preprocess", "decode", "queue")


class ComparedSide:
    """One of two sides: condition, its figures over all boards that fulfil it, and the histogram of a stage.

    Args:
        condition: that the figures fulfil.
        figures: of all boards and delegates that fulfil it.
        buckets: histogram of the stage, index to count.
    """

    def __init__(
        self, condition: ModelFilter, figures: Sequence[ModelFigures], buckets: Mapping[int, int]
    ) -> None:
        self.condition, self.figures = condition, figures
        self.buckets = dict(buckets)
        self.latency = Histogram.of(self.buckets).percentiles()
        self.frames = sum(one.frames for one in figures)
        self.devices = sum(one.devices or 0 for one in figures)
        self.joules = _mean([(one.joules_per_inference, one.frames) for one in figures])
        self.map = _mean([(one.map50_95, float(one.measured or 0)) for one in figures])

    @property
    def title(self) -> str:
        """The condition in words."""
        given = [value for value in self.condition.model_dump().values() if value]
        return " ".join(given) or "everything"


def _mean(values: Sequence[tuple[float | None, float]]) -> float | None:
    known = [(value, weight) for value, weight in values if value is not None and weight]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None


def write_comparison(
    first: ComparedSide, second: ComparedSide, choices: Sequence[ModelFigures], stage: str, span: TimeSpan
) -> str:
    """Return the HTML of the view.

    Args:
        first, second: sides.
        choices: figures of everything, for the choices.
        stage: of the latencies.
        span: of time.
    """
    given = {**_named("a", first.condition), **_named("b", second.condition), "stage": stage}
    spans = tabs(
        "Span", [(name, place("/compare", given, span=name), name == span.name) for name in MODEL_SPANS]
    )
    swapped = {
        **_named("a", second.condition),
        **_named("b", first.condition),
        "stage": stage,
        "span": span.name,
    }
    form = (
        f'<form class="compare" method="get" action="/compare"><input type="hidden" name="span" value="{span.name}">'
        + _side_fields("a", "First", first.condition, choices)
        + _side_fields("b", "Second", second.condition, choices)
        + choice("stage", "Stage", STAGES, stage, "end_to_end")
        + f'<button>Compare</button><a class="button quiet" href="{text(place("/compare", swapped))}">Swap</a></form>'
    )
    if not (
        first.condition.model_dump(exclude_defaults=True)
        or second.condition.model_dump(exclude_defaults=True)
    ):
        shown = empty(
            "Choose what is compared",
            "Two versions of a model, two boards, or two delegates: each side is all frames that fulfil its choices.",
        )
    elif not (first.frames and second.frames):
        side = "the first" if not first.frames else "the second"
        shown = empty("Nothing to compare", f"There is no telemetry of {side} in this span.")
    else:
        shown = _numbers(first, second) + share_chart(
            f"Share of frames up to a latency, {stage.replace('_', ' ')}",
            [(first.title, first.buckets), (second.title, second.buckets)],
        )
    return f'<div class="head"><h1>Compare</h1></div>{spans}{form}' + card(
        "comparison", f"{first.title} and {second.title}", shown, wide=True
    )


def _named(prefix: str, condition: ModelFilter) -> dict[str, str]:
    return {f"{prefix}_{name}": value for name, value in condition.model_dump().items() if value}


def _side_fields(prefix: str, title: str, condition: ModelFilter, choices: Sequence[ModelFigures]) -> str:
    def values(name: str) -> list[str]:
        return sorted({getattr(one, name) for one in choices})

    fields = "".join(
        choice(f"{prefix}_{name}", label, values(name), getattr(condition, name))
        for name, label in (
            ("bundle", "Model"),
            ("version", "Version"),
            ("board", "Board"),
            ("delegate", "Delegate"),
        )
    )
    return f"<fieldset><legend>{title}</legend>{fields}</fieldset>"


def _numbers(first: ComparedSide, second: ComparedSide) -> str:
    def row(name: str, a: float | None, b: float | None, unit: str, digits: int, why: str) -> list[str]:
        compared = ratio(b / a) if a and b is not None else ratio(None)
        return [name, shown_number(a, unit, digits, why), shown_number(b, unit, digits, why), compared]

    rows = [
        ["Devices", shown_number(first.devices, digits=0), shown_number(second.devices, digits=0), ""],
        ["Frames", shown_number(first.frames, digits=0), shown_number(second.frames, digits=0), ""],
        row("p50", first.latency.p50, second.latency.p50, "ms", 1, FEW),
        row("p90", first.latency.p90, second.latency.p90, "ms", 1, FEW),
        row("p99", first.latency.p99, second.latency.p99, "ms", 1, FEW),
        row("Energy per inference", first.joules, second.joules, "J", 3, NO_ENERGY),
        [
            "mAP50-95",
            shown_number(first.map, digits=3, why="no device has measured it"),
            shown_number(second.map, digits=3, why="no device has measured it"),
            accuracy_difference(None if first.map is None or second.map is None else second.map - first.map),
        ],
    ]
    return table("Comparison", ["", first.title, second.title, "Second / first"], rows)
