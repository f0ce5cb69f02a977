"""What a report makes of the measurements of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgeagent.bundle.evidence import SeedResult
from edgeagent.bundle.reading import open_bundle
from edgeagent.qat.report.data import ReportRow, collect, spreads, with_row
from tests.bundle.tiny import ARTEFACT, build
from tests.included import QUICK_BUNDLE

HASH = "0" * 64


def measurement(state: str, method: str, engine: str, value: float, **more: Any) -> dict[str, Any]:
    scores = {"map50_95": value, "map50": value, "images": 4, "data_sha256": HASH}
    return {"state": state, "method": method, "engine": engine, **scores, **more}


def rows(tmp_path: Path, *measurements: dict[str, Any]) -> tuple[ReportRow, ...]:
    return collect(build(tmp_path / "b", evidence={"measurements": measurements}), {ARTEFACT: 0.5}).rows


def test_coco_nano() -> None:
    report = collect(open_bundle(QUICK_BUNDLE), {})
    assert [(row.engine.split()[0], row.file) for row in report.rows if row.kind == "deployed"] == [
        ("onnxruntime", "model.onnx"),
        ("openvino", "model.onnx"),
        ("tflite", "model.tflite"),
        ("onnxruntime", "model.tensorrt.onnx"),
        ("openvino", "model.tensorrt.onnx"),
        ("onnxruntime", "model.openvino.onnx"),
        ("openvino", "model.openvino.onnx"),
    ]
    assert report.rows[0].kind == "float"
    assert sum(row.kind == "best ptq" for row in report.rows) == 1


def test_measurements_find_their_place(tmp_path: Path) -> None:
    found = rows(
        tmp_path,
        measurement("float", "as given", "onnxruntime 1 CPU", 0.9),
        measurement("ptq", "minmax", "onnxruntime 1 CPU", 0.5),
        measurement("ptq", "percentile", "onnxruntime 1 CPU", 0.7),
        measurement("qat", "500 steps", "torch 2", 0.81),
        measurement("qat", "500 steps", "onnxruntime 1 CPU", 0.8, seed=3, per_class={"person": 0.25}),
    )
    assert [(row.kind, row.method, row.map50_95, row.file) for row in found] == [
        ("float", "as given", 0.9, None),
        ("ptq", "minmax", 0.5, None),
        ("best ptq", "percentile", 0.7, None),
        ("simulated", "500 steps", 0.81, None),
        ("deployed", "500 steps", 0.8, ARTEFACT),
        ("deployed", "", None, ARTEFACT),
    ]
    assert (found[4].seed, found[4].per_class, found[4].integer_macs) == (3, {"person": 0.25}, 0.5)
    assert found[4].size == found[5].size == 15000
    assert found[5].integer_macs is None


def test_candidates_and_other_seeds_are_not_what_is_deployed(tmp_path: Path) -> None:
    """As the factory notes them: with the names of files in its work folder."""
    engine = "onnxruntime 1 CPU"
    found = collect(
        build(
            tmp_path / "b",
            evidence={
                "measurements": [
                    measurement("float", "as given", engine, 0.9, artefact="float.onnx"),
                    measurement("ptq", "minmax", engine, 0.5, artefact=ARTEFACT),
                    measurement("ptq", "mse", engine, 0.6, artefact=ARTEFACT),
                    measurement("qat", "9 steps", engine, 0.8, artefact=ARTEFACT, seed=0),
                    measurement("qat", "9 steps", "openvino 2 CPU", 0.7, artefact=ARTEFACT, seed=0),
                    measurement("qat", "9 steps", engine, 0.1, artefact=ARTEFACT, seed=1),
                ],
                "recipe": {"seed": 0},
            },
        ),
        {},
    ).rows
    assert [(row.kind, row.map50_95, row.file) for row in found] == [
        ("float", 0.9, None),
        ("ptq", 0.5, None),
        ("best ptq", 0.6, None),
        ("deployed", 0.8, ARTEFACT),
        ("deployed", 0.7, ARTEFACT),
    ]


def test_a_bundle_without_training_holds_what_was_measured_last(tmp_path: Path) -> None:
    engine = "onnxruntime 1 CPU"
    found = rows(
        tmp_path,
        measurement("ptq", "minmax", engine, 0.5, artefact=ARTEFACT),
        measurement("ptq", "mse", engine, 0.6, artefact=ARTEFACT),
        measurement("ptq", "mse", engine, 0.61, artefact=ARTEFACT),
    )
    assert [(row.kind, row.map50_95) for row in found[:3]] == [
        ("ptq", 0.5),
        ("best ptq", 0.6),
        ("deployed", 0.61),
    ]


def test_an_engine_that_computes_in_float_is_not_said_to_use_integers(tmp_path: Path) -> None:
    known = rows(tmp_path, measurement("qat", "9 steps", "openvino 2 CPU-float32", 0.8))
    assert [(row.engine.split()[0], row.integer_macs) for row in known] == [
        ("onnxruntime", 0.5),
        ("openvino", 0),
    ]
    later = with_row(rows(tmp_path / "other"), ReportRow("deployed", "", "openvino 2 CPU-float32", ARTEFACT))
    assert later[1].integer_macs == 0


def test_nothing_was_measured(tmp_path: Path) -> None:
    found = rows(tmp_path)
    assert [(row.kind, row.map50_95, row.images) for row in found] == [("deployed", None, None)] * 2


def test_what_is_measured_here_takes_the_place_of_a_claim(tmp_path: Path) -> None:
    known = rows(tmp_path, measurement("qat", "9 steps", "onnxruntime 1 CPU", 0.8))
    new = ReportRow("deployed", "", "onnxruntime 2 CPU", ARTEFACT, map50_95=0.7, here=True)
    changed = with_row(known, new)
    assert [(row.engine, row.method, row.map50_95, row.size) for row in changed] == [
        ("onnxruntime 2 CPU", "9 steps", 0.7, 15000),
        ("openvino", "", None, 15000),
    ]
    first = with_row(changed, ReportRow("float", "as given", "onnxruntime 2 CPU", map50_95=0.9))[0]
    assert (first.kind, first.map50_95) == ("float", 0.9)


def test_the_spread_over_seeds() -> None:
    results = [
        SeedResult(seed=seed, engine=engine, map50_95=value, map50=0.5)
        for engine, values in (("a 1", (0.25, 0.5, 0.375)), ("b 2", (0.125,)))
        for seed, value in enumerate(values)
    ]
    one, other = spreads(results)
    assert (one.engine, one.seeds, one.mean, one.least, one.most) == ("a 1", (0, 1, 2), 0.375, 0.25, 0.5)
    assert (other.engine, other.seeds) == ("b 2", (0,))
    assert other.mean == pytest.approx(other.least) == pytest.approx(other.most)
