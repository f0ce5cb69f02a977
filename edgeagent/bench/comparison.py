"""Comparison of two reports: two machines, two releases or two settings."""

from __future__ import annotations

from edgeagent.bench.interleaving import THROUGHPUT_SCENARIOS
from edgeagent.bench.results import BenchReport, BenchRow
from edgeagent.bench.table import ABSENT, TextTable, headline, number
from edgeagent.errors import ConfigurationError

NOTE = "A and B were measured in separate runs, not interleaved: other differences affect their ratio"


def check_comparable(first: BenchReport, second: BenchReport) -> None:
    """Refuse reports that are not comparable.

    Raises:
        ConfigurationError: the models or scenarios differ, or the reports have no row in common.
    """
    one, other = first.bundle, second.bundle
    if one != other:
        contents = "" if (one.name, one.version) != (other.name, other.version) else " with other contents"
        raise ConfigurationError(
            f"the reports are about different models, {one.name} {one.version} and {other.name} "
            f"{other.version}{contents}; run both with the same bundle"
        )
    if first.conditions.scenario != second.conditions.scenario:
        raise ConfigurationError(
            f"the reports are about different scenarios, {first.conditions.scenario} and "
            f"{second.conditions.scenario}; run both with the same --scenario"
        )
    if not {row.name for row in first.rows} & {row.name for row in second.rows}:
        raise ConfigurationError("the reports have no row in common; run both with the same --engine")


def comparison_tables(first: BenchReport, second: BenchReport) -> list[TextTable]:
    """Return the tables of two comparable reports; a ratio above 1 means that B is faster."""
    names = list(dict.fromkeys(row.name for report in (first, second) for row in report.rows))
    pairs = [(name, _find(first, name), _find(second, name)) for name in names]
    by_rate = first.conditions.scenario in THROUGHPUT_SCENARIOS
    fields = ("samples_per_s",) if by_rate else ("p50_ms", "p90_ms", "p99_ms")
    columns = [f"{name.replace('_ms', ', ms').replace('samples_per_s', 'pictures/s')}" for name in fields]
    header = [text for column in columns for text in (f"A {column}", f"B {column}", "B/A speed")]
    speed = [
        (name, *(cell for field in fields for cell in _cells(one, other, field, rate=by_rate)))
        for name, one, other in pairs
    ]
    costs = [
        (
            name,
            *_cells(one, other, "load_ms"),
            *_cells(one, other, "first_ms"),
            _state(one),
            _state(other),
        )
        for name, one, other in pairs
    ]
    return [
        TextTable("speed", ("", *header), tuple(speed)),
        TextTable(
            "start, ms, and checks",
            ("", "A load", "B load", "B/A speed", "A first", "B first", "B/A speed", "A check", "B check"),
            tuple(costs),
        ),
    ]


def comparison_notes(first: BenchReport, second: BenchReport) -> list[str]:
    """Return the description of A and B and the differences in conditions, versions and threads."""
    notes = [f"A: {headline(first)}, {first.time}", f"B: {headline(second)}, {second.time}", NOTE]
    one, other = first.conditions.model_dump(), second.conditions.model_dump()
    notes += [f"{name} differs: A {one[name]}, B {other[name]}" for name in one if one[name] != other[name]]
    for row in first.rows:
        twin = _find(second, row.name)
        if twin is not None and (row.version, row.threads) != (twin.version, twin.threads):
            notes.append(
                f"{row.name}: A version {row.version}, {row.threads} threads; B version {twin.version}, "
                f"{twin.threads} threads"
            )
    return notes


def _find(report: BenchReport, name: str) -> BenchRow | None:
    return next((row for row in report.rows if row.name == name), None)


def _cells(
    one: BenchRow | None, other: BenchRow | None, field: str, rate: bool = False
) -> tuple[str, str, str]:
    """Return both values and the ratio of the second's speed to the first's."""
    first, second = (None if row is None else getattr(row, field) for row in (one, other))
    ratio = ABSENT
    if first and second:
        ratio = f"{second / first if rate else first / second:.2f}x"
    return number(first), number(second), ratio


def _state(row: BenchRow | None) -> str:
    return ABSENT if row is None else "ok" if row.ok else "FAILED"
