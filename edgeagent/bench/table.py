"""Tables of a report as text, for terminal and page. Absent values are dashes; the notes give the reasons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from edgeagent.bench.interleaving import THROUGHPUT_SCENARIOS
from edgeagent.bench.results import BenchReport, BenchRow, SpeedRatio, ThermalState
from edgeagent.bundle.task import MEASURES

ABSENT = "-"


@dataclass(frozen=True)
class TextTable:
    """Table of text cells; the first column is a name, the others are right-aligned."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def report_tables(report: BenchReport) -> list[TextTable]:
    """Return the tables of a report: speed, stages, checks and costs, and all pairwise ratios."""
    tables = [_speed(report), _stages(report), _checks(report)]
    if len(report.ratios) > 2:
        tables.append(_ratios(report))
    return tables


def headline(report: BenchReport) -> str:
    """Return one line with model, conditions and machine of a report."""
    bundle, conditions, machine = report.bundle, report.conditions, report.machine
    return (
        f"{bundle.name} {bundle.version}, {conditions.scenario}, {conditions.pictures}, seed "
        f"{conditions.seed}, {conditions.rounds} interleaved rounds, on "
        f"{machine.model or machine.architecture} ({machine.processors} processors, {machine.system})"
    )


def report_notes(report: BenchReport) -> list[str]:
    """Return notes on failures, absent values and the thermal state."""
    notes = [f"{row.name}: {row.reason}" for row in report.rows if row.reason is not None]
    absent: dict[str, list[str]] = {}
    for row in report.rows:
        for name, why in row.absent.items() if row.ok else ():
            absent.setdefault(f"{name} {ABSENT}: {why}", []).append(row.name)
    everywhere = sum(row.ok for row in report.rows)
    for text, names in absent.items():
        notes.append(text if len(names) == everywhere else f"{text} ({', '.join(names)})")
    start, end = _thermal_text(report.thermal_start), _thermal_text(report.thermal_end)
    notes.append(f"temperature: {start} at the start, {end} at the end")
    return notes


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with ``digits`` decimals, or a dash for None."""
    return ABSENT if value is None else f"{value:.{digits}f}"


def ratio_text(ratio: SpeedRatio | None) -> str:
    """Return a ratio with its quartiles."""
    return ABSENT if ratio is None else f"{ratio.median:.2f}x ({ratio.q1:.2f} to {ratio.q3:.2f})"


def _speed(report: BenchReport) -> TextTable:
    scenario = report.conditions.scenario
    references = [row.ratio_to_reference.reference for row in report.rows if row.ratio_to_reference]
    against = f"speed to {references[0]}" if references else "speed"
    first = {
        "single-stream": "latency of a picture, ms",
        "multi-stream": "latency of 8 pictures, ms",
        "offline": "throughput",
        "camera": "age of a frame at delivery of its boxes, at full load, ms",
    }[scenario]
    columns: dict[str, Callable[[BenchRow], str]] = {
        ("frames" if scenario == "camera" else "queries"): lambda row: (
            ABSENT if row.count is None else str(row.count)
        ),
        "p50": lambda row: number(row.p50_ms),
        "p90": lambda row: number(row.p90_ms),
        "p99": lambda row: number(row.p99_ms),
        ("frames/s" if scenario == "camera" else "pictures/s"): lambda row: number(row.samples_per_s, 1),
        against: lambda row: ratio_text(row.ratio_to_reference),
    }
    if scenario == "offline":
        for name in ("p50", "p90", "p99"):
            del columns[name]
    how = "rates" if scenario in THROUGHPUT_SCENARIOS else "medians"
    title = f"{first}; ratios of {how}, median of {report.conditions.rounds} rounds (quartiles)"
    return _table(title, report, columns)


def _stages(report: BenchReport) -> TextTable:
    names = list(dict.fromkeys(stage for row in report.rows for stage in row.stages))
    columns = {name.replace("_", " "): _median_of(name) for name in names}
    return _table("stages, ms of one picture (p50)", report, columns)


def _median_of(stage: str) -> Callable[[BenchRow], str]:
    return lambda row: number(row.stages[stage].p50_ms) if stage in row.stages else ABSENT


def _checks(report: BenchReport) -> TextTable:
    columns: dict[str, Callable[[BenchRow], str]] = {
        "load, ms": lambda row: number(row.load_ms, 0),
        "first, ms": lambda row: number(row.first_ms, 1),
        "memory, MB": lambda row: number(row.memory.rss_mb if row.memory else None, 0),
        "golden, steps": _golden,
        **{
            measure.title: partial(_accuracy, measure.field)
            for measure in MEASURES.values()
            if measure == MEASURES["detection"] or any(_value(measure.field, row) for row in report.rows)
        },
        "mJ/inference": lambda row: number(row.energy.per_inference_j * 1000 if row.energy else None),
        "check": lambda row: "ok" if row.ok else "FAILED",
    }
    return _table("checks and costs", report, columns)


def _accuracy(field: str, row: BenchRow) -> str:
    return number(_value(field, row), 3)


def _value(field: str, row: BenchRow) -> float | None:
    value: float | None = getattr(row, field, None)
    return value


def _golden(row: BenchRow) -> str:
    if row.golden is None:
        return ABSENT
    worst = "not finite" if row.golden.worst_steps is None else f"{row.golden.worst_steps:.2f}"
    return f"{worst} of {row.golden.tolerance_steps:g}"


def _ratios(report: BenchReport) -> TextTable:
    names = tuple(report.ratios)
    rows = []
    for place, name in enumerate(names, 1):
        medians = {ratio.reference: f"{ratio.median:.2f}x" for ratio in report.ratios[name]}
        rows.append((f"{place}  {name}", *(medians.get(other, ABSENT) for other in names)))
    numbers = (str(place) for place in range(1, len(names) + 1))
    return TextTable("speed ratio of row to column", ("", *numbers), tuple(rows))


def _table(title: str, report: BenchReport, columns: dict[str, Callable[[BenchRow], str]]) -> TextTable:
    rows = tuple((row.name, *(text(row) for text in columns.values())) for row in report.rows)
    return TextTable(title, ("", *columns), rows)


def _thermal_text(state: ThermalState) -> str:
    hottest = max(state.temperatures_c.items(), key=lambda item: item[1], default=None)
    temperature = f"{hottest[0]} {hottest[1]:.1f} degC" if hottest else "no thermal zone"
    if state.throttled is None:
        return f"{temperature}, throttling unknown"
    return f"{temperature}, {'; '.join(state.signs) if state.throttled else 'not throttled'}"
