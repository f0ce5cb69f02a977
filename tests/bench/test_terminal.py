from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

import pytest

from edgeagent.bench.comparison import check_comparable, comparison_notes, comparison_tables
from edgeagent.bench.interleaving import speed_ratio
from edgeagent.bench.page import report_page
from edgeagent.bench.results import (
    BenchReport,
    BundleId,
    Machine,
    RunConditions,
    Scenario,
    ThermalState,
)
from edgeagent.bench.rows import (
    CandidateMeasurements,
    RunEnvironment,
    histogram_edges,
    make_row,
)
from edgeagent.bench.svg import plot_latencies, plot_stages
from edgeagent.bench.table import TextTable, report_notes, report_tables
from edgeagent.bench.terminal import plain_table
from edgeagent.errors import ConfigurationError
from tests.bench.made import block, candidate, measured

HOSTILE = "<script>alert(1)</script>&.onnx"


def make_report(
    items: Sequence[CandidateMeasurements],
    scenario: Scenario = "single-stream",
    version: str = "1.0.0",
    sha256: str = "0",
) -> BenchReport:
    """Return a report of these candidates with the first one as reference."""
    environment = RunEnvironment(scenario, None, "no sensor", None, histogram_edges(items))
    working = [item for item in items if not item.failure]
    rows = []
    for item in items:
        ratio = None
        if item in working[1:]:
            ratio = speed_ratio(working[0].candidate.name, working[0].blocks, item.blocks, scenario)
        rows.append(make_row(item, environment, ratio, "is the reference"))
    thermal = ThermalState(temperatures_c={"cpu-thermal": 61.5}, throttled=None)
    ratios = {
        item.candidate.name: tuple(
            speed_ratio(other.candidate.name, other.blocks, item.blocks, scenario)
            for other in working
            if other is not item
        )
        for item in working
    }
    return BenchReport(
        edgeagent="0.1.0",
        time="2026-01-31T12:00:00.000Z",
        machine=Machine(model=None, architecture="aarch64", system="Linux", kernel="6", processors=4),
        bundle=BundleId(name="tiny", version=version, sha256=sha256),
        conditions=RunConditions(
            scenario=scenario,
            duration_s=10,
            min_queries=100,
            seed=0,
            rounds=1,
            samples_per_query=1,
            pictures="4 golden pictures",
            score_threshold=0.3,
            iou_threshold=0.65,
        ),
        rows=tuple(rows),
        ratios=ratios,
        idle_w=None,
        thermal_start=thermal,
        thermal_end=thermal.model_copy(update={"throttled": True, "signs": ("throttled",)}),
    )


def three() -> list[CandidateMeasurements]:
    return [
        measured([block([10.0] * 70)]),
        measured([block([5.0] * 700)], "fast.onnx"),
        CandidateMeasurements(candidate("broken.onnx"), 1, failure="it does not load"),
    ]


def cells(table: TextTable, row: int) -> dict[str, str]:
    return dict(zip(table.columns[1:], table.rows[row][1:], strict=True))


def test_tables_show_measured_values_and_dashes() -> None:
    speed, stages, checks = report_tables(make_report(three()))
    assert [row[0] for row in speed.rows] == [
        "onnxruntime-cpu model.onnx",
        "onnxruntime-cpu fast.onnx",
        "onnxruntime-cpu broken.onnx",
    ]
    against = "speed to onnxruntime-cpu model.onnx"
    assert cells(speed, 0) == {
        "queries": "70", "p50": "10.00", "p90": "10.00", "p99": "-", "pictures/s": "100.0", against: "-"
    }  # fmt: skip
    assert cells(speed, 1)["p99"] == "5.00"
    assert cells(speed, 1)[against] == "2.00x (2.00 to 2.00)"
    assert set(cells(speed, 2).values()) == {"-"}
    assert cells(stages, 0)["inference"] == "8.00"
    assert [cells(checks, row)["check"] for row in range(3)] == ["ok", "ok", "FAILED"]
    assert cells(checks, 0)["golden, steps"] == "1.00 of 2"


def test_notes_give_the_reasons() -> None:
    notes = report_notes(make_report(three()))
    assert notes[0] == "onnxruntime-cpu broken.onnx: it does not load"
    assert set(notes[1:-1]) == {
        "map50_95 -: no labelled pictures: give --dataset, or --val-images and --val-labels",
        "energy -: no sensor",
        "ratio_to_reference -: is the reference (onnxruntime-cpu model.onnx)",
        "p99_ms -: requires at least 662 queries (onnxruntime-cpu model.onnx)",
    }
    assert notes[-1] == (
        "temperature: cpu-thermal 61.5 degC, throttling unknown at the start, "
        "cpu-thermal 61.5 degC, throttled at the end"
    )


def test_three_that_work_are_compared_all_with_all() -> None:
    items = [measured([block([time] * 70)], f"{time:g}.onnx") for time in (10.0, 5.0, 20.0)]
    ratios = report_tables(make_report(items))[-1]
    assert [row[1:] for row in ratios.rows] == [
        ("-", "0.50x", "2.00x"),
        ("2.00x", "-", "4.00x"),
        ("0.50x", "0.25x", "-"),
    ]


def test_offline_has_no_columns_of_percentiles() -> None:
    speed = report_tables(make_report(three(), "offline"))[0]
    assert "p50" not in speed.columns
    assert cells(speed, 1)["pictures/s"] == "200.0"


def test_a_plain_table_lines_up() -> None:
    text = plain_table(TextTable("title", ("", "p50"), (("a", "1.00"), ("long", "10.00"))))
    assert text == "title\n        p50\na      1.00\nlong  10.00"


@pytest.mark.parametrize("scenario", ["single-stream", "offline"])
def test_the_page_is_well_formed_and_names_cannot_break_it(scenario: Scenario) -> None:
    items = [*three(), measured([block([7.0, 8.0] * 40)], HOSTILE)]
    report = make_report(items, scenario)
    page = report_page(report)
    assert "<script>" not in page
    body = page.partition("<body>")[2].partition("</body>")[0].replace("class=bad", 'class="bad"')
    ElementTree.fromstring(body)
    assert ("<svg" in page) is True
    for plot in (plot_latencies(report.rows), plot_stages(report.rows)):
        if plot is not None:
            ElementTree.fromstring(plot)


def test_without_measurements_there_is_no_plot() -> None:
    report = make_report(three()[2:])
    assert plot_latencies(report.rows) is None
    assert plot_stages(report.rows) is None
    assert "Failed: onnxruntime-cpu broken.onnx" in report_page(report)


def test_a_comparison_tells_which_is_faster() -> None:
    first = make_report([measured([block([10.0] * 70)]), measured([block([9.0] * 70)], "gone.onnx")])
    second = make_report([measured([block([4.0] * 700)]), measured([block([9.0] * 70)], "new.onnx")])
    check_comparable(first, second)
    speed, checks = comparison_tables(first, second)
    assert [row[0].split()[1] for row in speed.rows] == ["model.onnx", "gone.onnx", "new.onnx"]
    assert speed.rows[0][1:] == ("10.00", "4.00", "2.50x", "10.00", "4.00", "2.50x", "-", "4.00", "-")
    assert speed.rows[1][1:4] == ("9.00", "-", "-")
    assert checks.rows[2][-2:] == ("-", "ok")
    faster = comparison_tables(make_report(three(), "offline"), make_report(three(), "offline"))[0]
    assert faster.rows[0][1:] == ("100.00", "100.00", "1.00x")


def test_other_differences_are_noted() -> None:
    first, second = make_report(three()), make_report(three())
    second = second.model_copy(update={"conditions": second.conditions.model_copy(update={"seed": 3})})
    slower = second.rows[0].model_copy(update={"threads": 4})
    second = second.model_copy(update={"rows": (slower, *second.rows[1:])})
    notes = comparison_notes(first, second)
    assert "seed differs: A 0, B 3" in notes
    assert any("1 threads; B version 1.2.3, 4 threads" in note for note in notes)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"version": "2.0.0"}, "different models, tiny 1.0.0 and tiny 2.0.0; run both with the same bundle"),
        ({"sha256": "1"}, "tiny 1.0.0 and tiny 1.0.0 with other contents"),
        ({"scenario": "camera"}, "different scenarios, single-stream and camera"),
    ],
)
def test_reports_about_different_things_are_refused(other: dict[str, str], message: str) -> None:
    items = [measured([block([10.0] * 70)])]
    with pytest.raises(ConfigurationError, match=message):
        check_comparable(make_report(items), make_report(items, **other))  # type: ignore[arg-type]


def test_reports_without_a_common_row_are_refused() -> None:
    one, other = (make_report([measured([block([9.0] * 70)], name)]) for name in ("a.onnx", "b.onnx"))
    with pytest.raises(ConfigurationError, match="no row in common"):
        check_comparable(one, other)
