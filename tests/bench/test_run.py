"""Complete benchmark runs with a real detector in real engines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeagent.bench.measured_candidates import (
    MeasuredCandidate,
    choose_candidates,
    load_candidate,
    reference_candidates,
)
from edgeagent.bench.results import BenchReport, schema_text
from edgeagent.bench.run import ROUNDS, BenchRequest, run_bench
from edgeagent.bundle.reading import Bundle
from edgeagent.cli import main
from edgeagent.detection.detector import Detector
from edgeagent.engines.engine import Array, Buffers, Engine, LoadedEngine
from edgeagent.errors import EngineError
from edgeagent.files.resources import sample_clip
from tests.bench.made import ScriptedMeter
from tests.bundle.tiny import ARTEFACT
from tests.cli.command import edgeagent, mistake
from tests.datasets.layouts import cell_scene, write_roboflow
from tests.engines import cell_detector as cells
from tests.engines.onnx_graphs import FLOAT, UINT8

ROOT = Path(__file__).parents[2]
Capture = pytest.CaptureFixture[str]


def request(bundle: Bundle, **changes: Any) -> BenchRequest:
    values: dict[str, Any] = {
        "bundle": bundle,
        "candidates": choose_candidates(bundle, ["onnxruntime"]),
        "scenario": "single-stream",
        "duration_s": 0.01,
        "min_queries": 100,
        "seed": 0,
        "threads": 1,
        "clip": sample_clip(),
        "idle_s": 0.01,
    }
    return BenchRequest(**{**values, **changes})


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return cells.build_bundle(tmp_path / "tiny")


def test_a_detector_that_is_right_beside_its_float_reference(bundle: Bundle, tmp_path: Path) -> None:
    reference, *_ = reference_candidates(
        bundle, cells.write_onnx(tmp_path / "float.onnx", UINT8), None, tmp_path
    )
    # raw heads have no roles without a manifest: a reference needs one concatenated output
    told: list[float] = []
    candidates = [*choose_candidates(bundle, ["onnxruntime"]), reference]
    report = run_bench(request(bundle, candidates=candidates), lambda text, fraction: told.append(fraction))
    row, other = report.rows
    assert (row.ok, row.count, row.engine, row.threads) == (True, 100, "onnxruntime", 1)
    assert row.golden is not None
    assert (row.golden.worst_steps, row.golden.within, row.golden.pictures) == (0.0, True, 1)
    assert row.p90_ms is not None
    assert row.p99_ms is None
    assert not other.ok
    assert "float.onnx: has 6 outputs, needs 1 by the description" in str(other.reason)
    assert row.absent["ratio_to_reference"] == "the reference failed"
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert BenchReport.model_validate_json(report.model_dump_json()) == report


def test_seed_and_conditions_are_reported(bundle: Bundle) -> None:
    report = run_bench(request(bundle, seed=5, scenario="multi-stream", min_queries=20))
    conditions = report.conditions
    assert (conditions.seed, conditions.samples_per_query, conditions.rounds) == (5, 8, 20)
    assert conditions.pictures == "1 golden pictures"
    (row,) = report.rows
    assert row.count == 20
    assert row.stages["inference"].count == 160
    assert row.absent["p99_ms"] == "requires at least 662 queries"


@pytest.mark.parametrize("scenario", ["offline", "camera"])
def test_scenarios_that_measure_a_rate(bundle: Bundle, scenario: str) -> None:
    (row,) = run_bench(request(bundle, scenario=scenario, min_queries=70)).rows
    assert row.samples_per_s is not None
    assert row.samples_per_s > 0
    assert row.ok
    if scenario == "camera":
        assert {"age", "queue", "preprocess", "inference", "decode", "publish", "end_to_end"} == set(
            row.stages
        )
        assert row.p90_ms is not None


def test_energy_with_both_parts(bundle: Bundle) -> None:
    # 1 J in the idle baseline, then 3 J in each block
    readings: list[float] = [0.0, 1.0]
    for _ in range(ROUNDS["single-stream"]):
        readings += [readings[-1], readings[-1] + 3.0]
    report = run_bench(request(bundle, meter=ScriptedMeter(*readings)))
    (row,) = report.rows
    assert row.energy is not None
    assert report.idle_w is not None
    assert row.energy.used_j == 60.0
    # blocks take milliseconds, and all three values are rounded to 4 decimals
    rounding = 5e-5 * (report.idle_w + row.energy.seconds + 1)
    assert row.energy.idle_j == pytest.approx(report.idle_w * row.energy.seconds, abs=rounding)
    assert row.energy.per_inference_j == pytest.approx((60.0 - row.energy.idle_j) / 100, abs=1e-5)


def test_a_meter_without_a_reading_is_absent(bundle: Bundle) -> None:
    report = run_bench(request(bundle, meter=ScriptedMeter(None)))
    assert report.idle_w is None
    assert report.rows[0].absent["energy"] == "the sensor gave no reading"


def test_a_bundle_without_golden_pictures_is_measured_on_noise(tmp_path: Path) -> None:
    bundle = cells.build_bundle(tmp_path / "plain", golden=None)
    report = run_bench(request(bundle))
    assert report.conditions.pictures == "8 pictures of noise"
    assert report.rows[0].absent["golden"] == "the bundle has no golden set"
    assert report.all_ok()


def test_an_artefact_that_is_broken_is_a_row_and_the_others_are_measured(tmp_path: Path) -> None:
    bundle = cells.build_bundle(tmp_path / "tiny")
    good, *_ = choose_candidates(bundle, ["onnxruntime"])
    broken, *_ = reference_candidates(
        bundle, cells.write_onnx(tmp_path / "broken.onnx", FLOAT), None, tmp_path
    )
    Path(broken.file).write_bytes(b"not really ONNX" * 100)
    report = run_bench(request(bundle, candidates=[good, broken]))
    assert [row.ok for row in report.rows] == [True, False]
    assert "cannot load it" in str(report.rows[1].reason)
    assert report.rows[0].count == 100


class _FailingEngine(LoadedEngine):
    """Real engine that fails after a number of calls, like one whose device is unplugged."""

    def __init__(self, engine: Engine, calls: int) -> None:
        self._engine, self._left = engine, calls
        self._inputs, self._outputs, self._facts = engine.inputs, engine.outputs, engine.facts

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        self._left -= 1
        if self._left < 0:
            raise EngineError("the device is gone; plug it in again")
        self._engine.infer(inputs, outputs)

    def allocate(self) -> Buffers:
        return self._engine.allocate()

    def close(self) -> None:
        self._engine.close()


def test_an_engine_that_fails_is_excluded_from_later_rounds(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = choose_candidates(bundle, ["onnxruntime"])[0]
    bad = replace(good, grid="fading")

    def load(candidate: MeasuredCandidate, threads: int) -> Detector:
        detector = load_candidate(candidate, threads)
        return replace(detector, engine=_FailingEngine(detector.engine, 50)) if candidate is bad else detector

    monkeypatch.setattr("edgeagent.bench.run.load_candidate", load)
    report = run_bench(request(bundle, candidates=[good, bad]))
    assert [row.ok for row in report.rows] == [True, False]
    assert report.rows[1].reason == "the device is gone; plug it in again"
    assert (report.rows[1].count, report.rows[1].p50_ms, report.rows[1].stages) == (None, None, {})
    assert report.rows[0].count == 100
    assert report.ratios == {good.name: ()}


def command(capsys: Capture, code: int, *arguments: object) -> str:
    capsys.readouterr()
    quick = ("--duration", "0.01", "--threads", "1")
    assert main(["bench", *map(str, arguments), *quick]) == code
    return capsys.readouterr().out


def test_the_command_writes_a_report_and_a_page(bundle: Bundle, tmp_path: Path, capsys: Capture) -> None:
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.mkdir()
    labels.mkdir()
    (images / "0.png").write_bytes(cells.png(cells.picture()))
    (labels / "0.txt").write_text(cells.label_lines())
    json_file, page = tmp_path / "r.json", tmp_path / "r.html"
    files = ("--json-file", json_file, "--html", page, "--val-images", images, "--val-labels", labels)
    output = command(capsys, 0, "--bundle", bundle.directory, "--engine", "onnxruntime", *files)
    assert output.startswith(
        "tiny 1.2.3, single-stream, 1 golden pictures, seed 0, 20 interleaved rounds, on "
    )
    assert f"onnxruntime-cpu {ARTEFACT}" in output
    assert "p99_ms -: requires at least 662 queries" in output
    report = BenchReport.model_validate_json(json_file.read_bytes())
    assert report.rows[0].map50_95 == pytest.approx(1.0)
    assert json.loads(json_file.read_text())["rows"][0]["p99_ms"] is None
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 2
    assert "http://www.w3.org/2000/svg" in text
    assert "src=" not in text
    assert "href=" not in text


def test_the_accuracy_on_a_data_set(bundle: Bundle, tmp_path: Path, capsys: Capture) -> None:
    """Classes are in another order there, and one of two objects is not found."""
    scenes = [cell_scene(((2, 1),), [(0, 0.0, 0.0, 8.0, 8.0)])]
    file, json_file = write_roboflow(scenes, tmp_path / "set"), tmp_path / "r.json"
    engine = ("--bundle", bundle.directory, "--engine", "onnxruntime")
    command(capsys, 0, *engine, "--dataset", file, "--json-file", json_file)
    report = BenchReport.model_validate_json(json_file.read_bytes())
    assert report.rows[0].map50_95 == pytest.approx(51 / 101, abs=1e-3)
    (tmp_path / "set" / "valid" / "images" / "0.png").write_bytes(b"")
    line = mistake(capsys, 6, "bench", *map(str, (*engine, "--dataset", file)))
    assert line.endswith("0.png is empty")


def test_outputs_outside_the_tolerance_fail_the_command(tmp_path: Path, capsys: Capture) -> None:
    bundle = cells.build_bundle(tmp_path / "wrong", golden_error=0.3)
    output = command(capsys, 1, "--bundle", bundle.directory, "--engine", "onnxruntime")
    assert "FAILED" in output
    assert (
        "its outputs differ from the reference outputs: 3.00 steps off on average at worst, 2 allowed"
        in output
    )


def test_two_reports_beside_each_other(bundle: Bundle, tmp_path: Path, capsys: Capture) -> None:
    files = [tmp_path / "a.json", tmp_path / "b.json", tmp_path / "c.json"]
    for file, scenario in zip(files, ("single-stream", "single-stream", "offline"), strict=True):
        what = ("--bundle", bundle.directory, "--engine", "auto", "--scenario", scenario)
        command(capsys, 0, *what, "--json-file", file)
    assert main(["bench", "--compare", *map(str, files[:2])]) == 0
    output = capsys.readouterr().out
    assert "A p50, ms" in output
    assert "were measured in separate runs, not interleaved" in output
    line = mistake(capsys, 2, "bench", "--compare", files[0], files[2])
    assert "different scenarios, single-stream and offline" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--duration", "0"), "--duration: expected"),
        (("--duration", "nan"), "--duration: expected"),
        (("--min-queries", "0"), "--min-queries: expected"),
        (("--seed", "-1"), "--seed: expected"),
        (("--threads", "-1"), "--threads: expected"),
        (("--val-images", "x"), "belong together"),
        (("--describe", "x"), "--describe goes with --reference"),
        (("--clip", "x"), "--clip goes with --scenario camera"),
        (("--engine", "edgetpu"), "--engine edgetpu: not here"),
        (("--compare", "none.json", "none.json"), "none.json: the report cannot be read"),
        (("--compare", "README.md", "README.md"), "README.md: not a report"),
    ],
)
def test_invalid_arguments_are_reported(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(ROOT)
    assert message in mistake(capsys, 2, "bench", *arguments)


def test_the_schema_in_the_documentation_is_that_of_the_types() -> None:
    file = ROOT / "docs" / "bench.schema.json"
    assert file.read_text(encoding="utf-8") == schema_text(), "python -m edgeagent.bench.results > " + str(
        file
    )


def test_it_runs_without_any_extra_package(bundle: Bundle) -> None:
    """Without optional packages: plain tables, one engine."""
    what = ("--bundle", bundle.directory, "--duration", "0.01", "--threads", "1", "--engine", "onnxruntime")
    code, output, errors = edgeagent("bench", *what, without="torch,onnx,rich,pycocotools,jinja2,matplotlib")
    assert (code, errors) == (0, "")
    assert "latency of a picture, ms" in output
    assert "100" in output
