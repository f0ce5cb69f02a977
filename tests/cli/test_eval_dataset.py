"""``edgeagent eval --dataset``: every layout gives what the folders give, and one sentence for a mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgeagent.cli import main
from tests.cli.command import edgeagent, mistake, wrong_use
from tests.datasets.layouts import (
    cell_scene,
    coco_document,
    write_coco,
    write_json,
    write_pairs,
    write_roboflow,
    write_ultralytics,
)
from tests.engines import cell_detector as cells

Capture = pytest.CaptureFixture[str]
SCENES = [cell_scene(((2, 1), (6, 3)), [(0, 0.0, 0.0, 8.0, 8.0)]), cell_scene(((0, 0),)), cell_scene(())]
"""Two objects of the three are found in the first picture."""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return cells.build_bundle(tmp_path / "tiny").directory


def evaluated(bundle: Path, *options: object) -> dict[str, Any]:
    file = bundle.parent / "r.json"
    arguments = ["eval", "--bundle", bundle, "--json-file", file, *options]
    assert main([str(argument) for argument in arguments]) == 0
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return {key: found[key] for key in ("map50_95", "map50", "images", "per_class")}


def test_every_layout_gives_the_same(bundle: Path, tmp_path: Path) -> None:
    write_pairs(SCENES, tmp_path / "a", tmp_path / "b")
    expected = evaluated(bundle, "--images", tmp_path / "a", "--labels", tmp_path / "b")
    assert expected["map50"] < 0.8
    for path in (
        write_ultralytics(SCENES, tmp_path / "u"),
        write_roboflow(SCENES, tmp_path / "r"),
        write_coco(SCENES, tmp_path / "c", "annotations/instances_val2017.json", "val2017"),
        write_coco(SCENES, tmp_path / "rc", "valid/_annotations.coco.json", "valid").parents[1],
    ):
        assert evaluated(bundle, "--dataset", path) == expected


def test_classes_in_another_order_are_told_in_one_line(bundle: Path, tmp_path: Path) -> None:
    file = write_roboflow(SCENES, tmp_path / "r")
    code, out, errors = edgeagent("eval", "--bundle", str(bundle), "--dataset", str(file))
    assert code == 0
    assert "3 pictures" in out
    assert errors.splitlines() == [
        f"WARNING edgeagent.datasets.class_names: {file}: classes are matched to the labels of the model by "
        "name: Person 2 -> 0"
    ]


def test_a_split_is_chosen(bundle: Path, tmp_path: Path) -> None:
    write_coco(SCENES, tmp_path, "train/_annotations.coco.json", "train")
    write_coco(SCENES[1:], tmp_path, "test/_annotations.coco.json", "test")
    assert evaluated(bundle, "--dataset", tmp_path, "--split", "test")["images"] == 2
    assert evaluated(bundle, "--dataset", tmp_path, "--split", "train")["images"] == 3


def test_a_folder_of_pictures_is_given(bundle: Path, tmp_path: Path) -> None:
    file = write_coco(SCENES, tmp_path, "x.json", "far/away")
    found = evaluated(bundle, "--dataset", file, "--dataset-images", tmp_path / "far" / "away")
    assert found["images"] == 3


def test_mistakes(bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    start = ("eval", "--bundle", str(bundle))
    line = mistake(capsys, 2, *start)
    assert line == "no labelled pictures: give --dataset, or --images and --labels"
    line = mistake(capsys, 2, *start, "--images", str(tmp_path))
    assert line == "--images and --labels belong together: give both or none"
    file = write_coco(SCENES, tmp_path / "c", "x.json")
    line = mistake(capsys, 2, *start, "--dataset", str(file), "--images", str(tmp_path))
    assert line == "give a data set or --images and --labels, not both"
    line = mistake(capsys, 2, *start, "--dataset", str(file), "--split", "val")
    assert line == f"{file}: has no splits; leave --split out, or give the file of the split"
    assert "invalid choice" in wrong_use(capsys, *start, "--dataset", str(file), "--split", "valid")
    document = coco_document(SCENES)
    document["annotations"][2]["bbox"] = "0,0,8,8"
    write_json(file, document)
    line = mistake(capsys, 6, *start, "--dataset", str(file))
    assert line == (
        f"{file}: annotations[2] (id 2): `bbox`: expected 4 numbers x, y, width, height in pixels; got "
        "'0,0,8,8'"
    )


def test_names_without_a_label_are_refused(bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    file = write_ultralytics(SCENES, tmp_path / "u")
    file.write_text("val: images/val\nnames: [x, y, z]\n")
    line = mistake(capsys, 6, "eval", "--bundle", str(bundle), "--dataset", str(file))
    assert line == (
        f"{file}: none of its classes (z) is a label of the model (person, Straßenbahn); write the names of "
        "the model there"
    )


def test_a_damaged_picture_is_named_before_the_engine_runs(
    bundle: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_ultralytics(SCENES, tmp_path / "u")
    (tmp_path / "u" / "images" / "val" / "2.png").write_bytes(b"")
    monkeypatch.setattr("edgeagent.cli.eval.evaluate_model", None)
    line = mistake(capsys, 6, "eval", "--bundle", str(bundle), "--dataset", str(file))
    assert line == f"picture {tmp_path / 'u/images/val/2.png'} is empty"
