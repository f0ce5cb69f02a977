"""``edgeagent qat report``: one page that needs nothing else, and one JSON."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from edgeagent.bundle.evidence import (
    BOXES,
    PARITY,
    SEEDS,
    SENSITIVITY,
    TRAINING,
    ArtefactParity,
    Differences,
    LayerParity,
    PictureBoxes,
    SeedResult,
    SensitivityRecord,
    TrainingPoint,
)
from edgeagent.bundle.manifest_text import manifest_data
from edgeagent.bundle.writing import write_bundle
from edgeagent.cli import main
from tests.bundle.tiny import ARTEFACT, OUTPUTS, PICTURE
from tests.cli.command import edgeagent, mistake, the_line
from tests.cli.test_eval import PLACES, _concatenated
from tests.engines import cell_detector as cells
from tests.included import QUICK_BUNDLE

Capture = pytest.CaptureFixture[str]
DIFFERENCES = Differences(share=0.004, mean=0.004, largest=1)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A bundle without evidence."""
    return cells.build_bundle(tmp_path / "tiny").directory


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """The same bundle with every kind of evidence; its label is not to be trusted."""
    bundle = cells.build_bundle(tmp_path / "tiny")
    labels = ["<script>alert(1)</script>", *bundle.manifest.labels[1:]]
    layer = LayerParity(tensor="t", operator="Conv", alone=DIFFERENCES, accumulated=DIFFERENCES)
    parity = ArtefactParity(file=ARTEFACT, engine="onnxruntime 1", pictures=1, layers=(layer,) * 3)
    boxes = PictureBoxes(picture=PICTURE, state="float", boxes=((1, 1, 9, 9),), scores=(0.5,), classes=(0,))
    evidence: dict[str, bytes] = {
        TRAINING.name: TRAINING.encode(
            [TrainingPoint(step=n, loss=1 / (n + 1), validation=0.1) for n in range(9)]
        ),
        SENSITIVITY.name: SENSITIVITY.encode(
            [SensitivityRecord(node=f"node<{n}>", error=n) for n in range(40)]
        ),
        SEEDS.name: SEEDS.encode(
            [SeedResult(seed=n, engine="e", map50_95=0.1 * n, map50=0.5) for n in range(3)]
        ),
        PARITY.name: PARITY.encode([parity]),
        BOXES.name: BOXES.encode([boxes]),
    }
    data = manifest_data(bundle.manifest)
    data |= {"labels": labels, "evidence": {"recipe": {"steps": 5, "note": "<b>"}, "files": list(evidence)}}
    old = {name: bundle.directory / name for name in (ARTEFACT, PICTURE, OUTPUTS)}
    return write_bundle(tmp_path / "full", data, {**old, **evidence}).directory


def report(bundle: Path, folder: Path, *more: object) -> tuple[str, dict[str, Any]]:
    page, numbers = folder / "r.html", folder / "r.json"
    arguments = ("qat", "report", bundle, "--out", page, "--json-file", numbers, "--threads", 1, *more)
    assert main([str(argument) for argument in arguments]) == 0
    return page.read_text(encoding="utf-8"), json.loads(numbers.read_text(encoding="utf-8"))


class Page(HTMLParser):
    """Checks that what is opened is closed, and collects what would be fetched."""

    EMPTY = frozenset({"meta", "img", "br", "link", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.EMPTY:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def visible(text: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def test_a_bundle_without_evidence_says_so(plain: Path, tmp_path: Path) -> None:
    text, numbers = report(plain, tmp_path)
    for name in ("seeds", "training", "sensitivity", "parity"):
        assert f"the bundle has no evidence/{name}.json" in text
    assert "The float model's boxes are not in the bundle" in text
    assert "not measured" in text
    assert "Speed was not measured" in text
    assert set(numbers) >= {"edgeagent", "name", "rows", "hashes"}
    assert {"seeds", "training", "sensitivity", "parity"}.isdisjoint(numbers)
    assert all("map50_95" not in row for row in numbers["rows"])


def test_the_page_needs_nothing_else(full: Path, tmp_path: Path) -> None:
    text, _ = report(full, tmp_path)
    page = Page(text)
    assert all(link.startswith(("#", "data:image/jpeg;base64,")) for link in page.fetched)
    assert "script" not in page.tags
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert page.tags.count("svg") == 3
    assert page.tags.count("img") == 2
    assert "&lt;b&gt;" in text


def test_all_evidence_is_shown(full: Path, tmp_path: Path) -> None:
    text, numbers = report(full, tmp_path)
    seen = visible(text)
    assert "the bundle has no" not in seen
    assert "e 3 0.100 0.000 0.200 0.500 0, 1, 2" in seen
    assert "The 25 worst of 40 nodes." in seen
    assert f"{ARTEFACT} onnxruntime 1 1 3 0 1 steps 0.40 % 0.00 steps within the bounds" in seen
    assert "float: 1 boxes" in seen
    assert "INT8: 2 boxes" in seen
    assert numbers["seeds"][0]["seeds"] == [0, 1, 2]
    assert len(numbers["training"]) == 9
    assert numbers["parity"][0]["layers"][0]["alone"] == {"share": 0.004, "mean": 0.004, "largest": 1}


def test_it_measures_when_pictures_and_a_float_model_are_given(plain: Path, tmp_path: Path) -> None:
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.mkdir()
    labels.mkdir()
    for number, place in enumerate(PLACES):
        (images / f"{number}.png").write_bytes(cells.png(cells.picture(place)))
        (labels / f"{number}.txt").write_text(cells.label_lines(place))
    model = _concatenated(tmp_path / "m.onnx")
    more = ("--images", images, "--labels", labels, "--float-model", model, "--latency")
    text, numbers = report(plain, tmp_path, *more)
    assert [
        (row["kind"], row["engine"].split()[0], row["map50_95"], row["images"]) for row in numbers["rows"]
    ] == [
        ("float", "onnxruntime", pytest.approx(1.0), 4),
        ("deployed", "onnxruntime", pytest.approx(1.0), 4),
        ("deployed", "openvino", pytest.approx(1.0), 4),
    ]
    assert all(row["here"] and row["per_class"] == {"person": 1.0} for row in numbers["rows"])
    for row in numbers["rows"][1:]:
        assert row["latency"]["turns"] == 50
        assert row["latency"]["ratio"] > 0
        assert row["latency"]["reference"].startswith("m.onnx in onnxruntime ")
    assert "measured here" in text
    assert "float: 2 boxes" in visible(text)
    assert "AP50-95 of 1 classes" in text


def test_coco_nano(tmp_path: Path) -> None:
    text, numbers = report(QUICK_BUNDLE, tmp_path)
    Page(text)
    assert "best PTQ" in text
    assert numbers["name"] == "coco-nano"


def test_mistakes(plain: Path, tmp_path: Path, capsys: Capture) -> None:
    command = ("qat", "report", plain)
    line = mistake(capsys, 2, *command, "--images", tmp_path)
    assert line == "--images and --labels belong together: give both or none"
    line = mistake(capsys, 2, *command, "--latency")
    assert line == "--latency compares with the float reference: give --float-model"
    assert "expected 0 to 64" in mistake(capsys, 2, *command, "--threads", -1)
    assert "no such bundle" in mistake(capsys, 3, "qat", "report", tmp_path / "nothing")
    line = mistake(capsys, 1, *command, "--out", tmp_path / "no" / "r.html")
    assert line.endswith("r.html: the report cannot be written (No such file or directory)")


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_a_missing_package(plain: Path, package: str) -> None:
    code, output, errors = edgeagent("qat", "report", plain, without=package)
    assert (code, output) == (2, "")
    assert the_line(errors).startswith("a report needs more packages (")
