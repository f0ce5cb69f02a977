"""The package of arm64 under emulation: it installs, runs, and computes what x86 computes.

Emulation says nothing about times, and none is reported.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeagent.vision.nms import intersection_over_union
from tests.data import shared
from tests.system.debian_tree import cache_folder
from tests.system.foreign import ForeignTree, installed_arm64, need_emulation

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("measured_boxes.py")
PYTHON = "/opt/edgeagent/bin/python3"
BUNDLES = ("coco-nano", "coco-small")
APART = 0.5
"""Steps by which the golden distance of an engine may differ from the one on x86."""
CONFIDENT, SCORE_APART, SAME_BOX = 0.35, 0.1, 0.8


@pytest.fixture(scope="module")
def arm64() -> Iterator[ForeignTree]:
    need_emulation()
    folder = cache_folder() / f"arm64.{os.getpid()}"
    try:
        yield ForeignTree(installed_arm64(), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def measured(arm64: ForeignTree) -> dict[str, dict[tuple[str, ...], dict[str, Any]]]:
    """Return the rows of both machines by bundle, artefact and engine."""
    arm64.copy(SCRIPT, "/srv/measured_boxes.py")
    told = {
        "arm64": arm64.run(PYTHON, "/srv/measured_boxes.py", *BUNDLES),
        "x86": subprocess.run(
            [sys.executable, SCRIPT, *BUNDLES],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout,
    }
    report = os.environ.get("EDGEAGENT_SYSTEM_REPORT")
    if report:
        Path(report).with_suffix(".arm64.jsonl").write_text("".join(told.values()), encoding="utf-8")
    return {machine: rows(text) for machine, text in told.items()}


def rows(text: str) -> dict[tuple[str, ...], dict[str, Any]]:
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return {(row["bundle"], row["artefact"], row["engine"]): row for row in found}


def test_it_is_arm64(arm64: ForeignTree, full: None) -> None:
    assert arm64.run(PYTHON, "-c", "import platform; print(platform.machine())").strip() == "aarch64"
    assert arm64.run("edgeagent", "--version").strip()


@pytest.mark.parametrize("bundle", BUNDLES)
@pytest.mark.parametrize("engine", ["onnxruntime", "tflite"])
def test_included_bundles_pass_their_check(arm64: ForeignTree, full: None, bundle: str, engine: str) -> None:
    arm64.run("edgeagent", "bundle", "check", bundle, "--engine", engine)


def test_delegates_of_the_processor_load(arm64: ForeignTree, measured: dict[str, Any], full: None) -> None:
    engines = {key[2] for key in measured["arm64"]}
    assert {"onnxruntime", "tflite"} <= engines
    failed = {key: row["error"] for key, row in measured["arm64"].items() if "error" in row}
    assert not failed


def test_golden_distances_are_those_of_x86(measured: dict[str, Any], full: None) -> None:
    both = measured["arm64"].keys() & measured["x86"].keys()
    assert len(both) >= 4
    for key in both:
        arm, x86 = measured["arm64"][key], measured["x86"][key]
        assert arm["worst"] <= arm["tolerance"], arm
        assert abs(arm["worst"] - x86["worst"]) <= APART, (key, arm["worst"], x86["worst"])
        assert arm["found"] >= 0.95 * x86["found"], key


def test_boxes_are_those_of_x86(measured: dict[str, Any], full: None) -> None:
    for key in measured["arm64"].keys() & measured["x86"].keys():
        arm, x86 = measured["arm64"][key]["boxes"], measured["x86"][key]["boxes"]
        for ours, theirs in zip(arm, x86, strict=True):
            assert_contained(ours, theirs, key)
            assert_contained(theirs, ours, key)


def assert_contained(confident: list[Any], others: list[Any], where: object) -> None:
    """Each confident box has a box of the same label, place and score among the others."""
    all_others = np.array(others, np.float32).reshape(-1, 6)
    for row in np.array([row for row in confident if row[4] >= CONFIDENT], np.float32).reshape(-1, 6):
        same = all_others[all_others[:, 5] == row[5]]
        overlaps = intersection_over_union(row[None, :4], same[:, :4])[0]
        near = (overlaps >= SAME_BOX) & (np.abs(same[:, 4] - row[4]) <= SCORE_APART)
        assert near.any(), (where, row.tolist(), same.tolist())


def test_a_short_demo(arm64: ForeignTree, full: None) -> None:
    arm64.run("edgeagent", "demo", "--seconds", "20", "--out", "/srv/demo", "--json-file", "/srv/demo.json")
    summary = json.loads((arm64.upper / "srv/demo.json").read_text(encoding="utf-8"))
    assert summary, "the demo has no summary"


@pytest.mark.data
@pytest.mark.parametrize("engine", ["onnxruntime", "tflite"])
def test_accuracy_on_16_pictures(arm64: ForeignTree, full: None, tmp_path: Path, engine: str) -> None:
    images = sorted(shared("data", "coco", "images", "val").iterdir())[:16]
    labels = shared("data", "coco", "labels", "val")
    for place in (arm64.upper / "srv/val", tmp_path):
        for folder in ("images", "labels"):
            (place / folder).mkdir(parents=True, exist_ok=True)
        for image in images:
            shutil.copy(image, place / "images" / image.name)
            label = labels / f"{image.stem}.txt"
            if label.exists():
                shutil.copy(label, place / "labels" / label.name)
    options = ("eval", "--bundle", "coco-nano", "--engine", engine, "--threads", "1")

    def places(root: str) -> tuple[str, ...]:
        return (
            "--images",
            f"{root}/images",
            "--labels",
            f"{root}/labels",
            "--json-file",
            f"{root}/result.json",
        )

    arm64.run("edgeagent", *options, *places("/srv/val"))
    command = [sys.executable, "-m", "edgeagent", *options, *places(str(tmp_path))]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    texts = [place / "result.json" for place in (arm64.upper / "srv/val", tmp_path)]
    found = [json.loads(text.read_text(encoding="utf-8")) for text in texts]
    assert abs(found[0]["map50_95"] - found[1]["map50_95"]) <= 0.03, found
