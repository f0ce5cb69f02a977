"""Labels that come back: the same boxes through every format, and what is refused, in which words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from edgeagent.cli import main
from edgeagent.datasets.dataset import Dataset
from edgeagent.datasets.label_export import EXPORTS, ProposedObject, ProposedPicture, export_labels
from edgeagent.datasets.label_import import LabelTarget, import_labels
from edgeagent.datasets.task_labels import check_labels
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.errors import DataError
from tests.cli.command import mistake
from tests.included import QUICK_NAME

TARGET = LabelTarget("detection", ("person", "bicycle", "car"))
SIZES = {"yard-1_5.jpg": (200, 100), "gate-2_5.jpg": (64, 64), "gate-3.jpg": (120, 90)}
PERSON = ProposedObject("person", 0.4, (0.1, 0.2, 0.5, 0.9))
CAR = ProposedObject("car", 0.3, (0.25, 0.25, 0.75, 0.75))
SUFFIXES = {"coco": "annotations.json", "cvat": "annotations.xml", "label-studio": "tasks.json", "yolo": ""}


def exported(folder: Path, kind: str) -> Path:
    """Export three pictures, and return what the tool would give back: all proposals were right."""
    pictures = []
    for number, (name, (width, height)) in enumerate(SIZES.items()):
        noise = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
        folder.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / name), noise)
        objects = (PERSON, CAR)[: 2 - number]
        pictures.append(ProposedPicture(folder / name, name, width, height, objects))
    export_labels(pictures, kind, folder / "out")
    if kind == "label-studio":
        confirm(folder / "out" / "tasks.json")
    return folder / "out" / SUFFIXES[kind]


def confirm(file: Path) -> None:
    """Make the predictions annotations, as a person does in Label Studio."""
    tasks = json.loads(file.read_text())
    for task in tasks:
        task["annotations"] = [{"result": task["predictions"][0]["result"], "was_cancelled": False}]
    file.write_text(json.dumps(tasks))


def refused(given: Path, out: Path, target: LabelTarget = TARGET, images: Path | None = None) -> str:
    """Return why labels are refused; nothing is written."""
    folder = given if given.is_dir() else given.parent
    with pytest.raises(DataError) as caught:
        import_labels(given, images or folder / "images", target, out)
    assert not out.exists()
    assert not list(out.parent.glob(f".{out.name}*"))
    return str(caught.value)


@pytest.mark.parametrize("kind", sorted(EXPORTS))
def test_labels_come_back_through_every_format(kind: str, tmp_path: Path) -> None:
    given, out = exported(tmp_path / "frames", kind), tmp_path / "labelled"
    found = import_labels(given, tmp_path / "frames" / "out" / "images", TARGET, out)
    assert (found.pictures, found.objects, found.empty, found.waiting) == (3, {"car": 1, "person": 2}, 1, 0)
    for data in (LabelledPictures.find(out / "images", out / "labels"), Dataset.find(out).open(None, "val")):
        by_name = dict(zip((one.name for one in data.pictures), data.read(TARGET.labels), strict=True))
        assert by_name["yard-1_5.jpg"].classes.tolist() == [0, 2]
        assert np.allclose(
            by_name["yard-1_5.jpg"].boxes, [[0.3, 0.55, 0.4, 0.7], [0.5, 0.5, 0.5, 0.5]], atol=1e-4
        )
        assert by_name["gate-2_5.jpg"].classes.tolist() == [0]
        assert len(by_name["gate-3.jpg"].classes) == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (out, *(out / "images").iterdir()))
    exported_to = tmp_path / "frames" / "out"
    assert all(path.stat().st_mode & 0o077 == 0 for path in (exported_to, *exported_to.rglob("*")))


@pytest.mark.parametrize("kind", sorted(EXPORTS))
def test_what_does_not_fit_is_refused_whole(kind: str, tmp_path: Path) -> None:
    given, out = exported(tmp_path / "frames", kind), tmp_path / "labelled"
    text = refused(given, out, LabelTarget("detection", ("person", "bicycle")))
    assert "the model has no label 'car'; its 2 labels are person, bicycle" in text
    assert "draw polygons" in refused(given, out, LabelTarget("segmentation", TARGET.labels))
    assert "give it one class" in refused(given, out, LabelTarget("classification", TARGET.labels))
    images = tmp_path / "frames" / "out" / "images"
    cv2.imwrite(str(images / "yard-1_5.jpg"), np.zeros((50, 100, 3), np.uint8))
    if kind != "yolo":  # which has no size of the picture
        assert "was labelled with 200 x 100 pixels" in refused(given, out)
        assert "has 100 x 50; give the picture that was labelled" in refused(given, out)
    (images / "yard-1_5.jpg").write_bytes(b"no picture")
    assert "cannot be read as a picture" in refused(given, out)
    (images / "yard-1_5.jpg").unlink()
    text = refused(given, out)
    assert "yard-1_5" in text
    assert "--images the folder of the pictures that were labelled" in text


def test_what_waits_in_label_studio_is_left_out_and_counted(tmp_path: Path) -> None:
    given = exported(tmp_path / "frames", "label-studio")
    tasks = json.loads(given.read_text())
    tasks[0]["annotations"] = []
    tasks[1]["annotations"][0]["was_cancelled"] = True
    tasks[2]["data"] = {"image": "/data/upload/7/0a1b2c3d-gate-3.jpg"}
    given.write_text(json.dumps(tasks))
    found = import_labels(given, given.parent / "images", TARGET, tmp_path / "labelled")
    assert (found.pictures, found.empty, found.waiting) == (1, 1, 2)
    tasks[2]["annotations"] = []
    given.write_text(json.dumps(tasks))
    assert "none of the 3 pictures is labelled yet" in refused(given, tmp_path / "again")


def test_labels_that_are_not_there_yet_say_so(tmp_path: Path) -> None:
    given, images = exported(tmp_path / "frames", "label-studio"), tmp_path / "frames" / "out" / "images"
    tasks = json.loads(given.read_text())
    for task in tasks:
        del task["annotations"]
    given.write_text(json.dumps(tasks))
    assert "not labelled yet; import it, label, then export `JSON`" in refused(given, tmp_path / "labelled")
    folder = exported(tmp_path / "yolo", "yolo")
    text = refused(folder / "labels", tmp_path / "labelled", images=images)
    assert "holds the labels alone; give the folder above" in text
    assert "no such file or folder of labels" in refused(tmp_path / "absent.json", tmp_path / "labelled")


@pytest.mark.parametrize("kind", ["coco", "cvat"])
def test_pictures_without_an_object_are_told_and_can_be_left_out(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = exported(tmp_path / "frames", kind)
    command = ["frames", "labels", str(given), "--bundle", QUICK_NAME, "--out"]
    assert main([*command, str(tmp_path / "all")]) == 0
    printed, warned = capsys.readouterr()
    assert "3 pictures, 3 objects, 2 labels, 1 picture without an object" in printed
    assert "warning: 1 picture without an object" in warned
    assert main([*command, str(tmp_path / "seen"), "--skip-empty"]) == 0
    printed, warned = capsys.readouterr()
    assert "2 pictures, 3 objects" in printed
    assert "1 that nobody has labelled" in printed
    assert not warned
    assert len(list((tmp_path / "seen" / "images").iterdir())) == 2


def change(file: Path, **values: Any) -> None:
    """Change the first result of Label Studio."""
    tasks = json.loads(file.read_text())
    result = tasks[0]["annotations"][0]["result"][0]
    for key, value in values.items():
        (result if key in ("type", "original_width") else result["value"])[key] = value
    file.write_text(json.dumps(tasks))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"type": "brushlabels"}, "a result of the type 'brushlabels'"),
        ({"rotation": 12.0}, "a turned box of 'person'"),
        ({"x": 95.0}, "'person' reaches beyond the picture"),
        ({"width": 0.0}, "the box of 'person' has no area"),
        ({"rectanglelabels": ["person", "car"]}, "one object has the labels 'person', 'car'; give it one"),
        ({"rectanglelabels": []}, "rectanglelabels"),
        ({"x": "left"}, "rectanglelabels"),
        ({"original_width": 300}, "for pictures of different sizes"),
    ],
)
def test_results_that_cannot_be_kept_are_refused(values: dict[str, Any], words: str, tmp_path: Path) -> None:
    given = exported(tmp_path / "frames", "label-studio")
    change(given, **values)
    assert words in refused(given, tmp_path / "labelled")
    assert "task 0" in refused(given, tmp_path / "labelled")


HUGE = 10**400


@pytest.mark.parametrize(
    ("change_of", "words"),
    [
        ({"iscrowd": 1}, "a region of many objects (iscrowd)"),
        ({"segmentation": {"counts": [1], "size": [1, 1]}}, "a run-length mask; export polygons"),
        ({"segmentation": [[1, 1, 5, 1, 5, 5], [9, 9, 12, 9, 12, 12]]}, "has 2 polygons"),
        ({"image_id": 99}, "belongs to no picture of the file"),
        ({"bbox": [150.0, 10.0, 90.0, 20.0]}, "reaches beyond the picture"),
        ({"segmentation": [[HUGE, 1, 5, 1, 5, 5]]}, "segmentation: expected a list of numbers"),
        ({"segmentation": [[float("nan"), 1, 5, 1, 5, 5]]}, "segmentation: expected a list of numbers"),
        ({"bbox": [HUGE, 1, 5, 5]}, "`bbox`: expected 4 numbers"),
    ],
)
def test_annotations_that_cannot_be_kept_are_refused(
    change_of: dict[str, Any], words: str, tmp_path: Path
) -> None:
    given = exported(tmp_path / "frames", "coco")
    document = json.loads(given.read_text())
    document["annotations"][0] |= change_of
    given.write_text(json.dumps(document))
    assert words in refused(given, tmp_path / "labelled")


def test_shapes_of_cvat(tmp_path: Path) -> None:
    given = exported(tmp_path / "frames", "cvat")
    whole = given.read_text()
    given.write_text(whole.replace("<box ", '<box rotation="45" ', 1))
    assert "has a turned box" in refused(given, tmp_path / "labelled")
    given.write_text(whole.replace("<box ", "<ellipse ", 1).replace(' ybr="90.00" />', ' ybr="90.00" />', 1))
    assert "has a ellipse" in refused(given, tmp_path / "labelled")
    given.write_text('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]>' + whole.partition("?>")[2])
    assert "has a document type" in refused(given, tmp_path / "labelled")
    given.write_text("<annotations>")
    assert "not XML" in refused(given, tmp_path / "labelled")


def test_polygons_become_those_of_a_segmenter(tmp_path: Path) -> None:
    given = exported(tmp_path / "frames", "cvat")
    root = ElementTree.parse(given).getroot()
    for image in root.iter("image"):
        for box in image.findall("box"):
            image.remove(box)
    first = root.find("image")
    assert first is not None
    ElementTree.SubElement(first, "polygon", {"label": "car", "points": "20,10;100,10;100,50"})
    ElementTree.ElementTree(root).write(given)
    target = LabelTarget("segmentation", TARGET.labels)
    import_labels(given, given.parent / "images", target, tmp_path / "labelled")
    data = Dataset.find(tmp_path / "labelled").open(None, "val")
    labels = data.read(TARGET.labels)
    check_labels("segmentation", data.pictures, labels)
    (outline,) = next(one.outlines for one in labels if len(one.classes))
    assert outline is not None
    assert np.allclose(outline, [[0.1, 0.1], [0.5, 0.1], [0.5, 0.5]])


def test_choices_become_folders_of_a_classifier(tmp_path: Path) -> None:
    given = exported(tmp_path / "frames", "label-studio")
    tasks = json.loads(given.read_text())
    for task, name in zip(tasks, ("car", "person", "car"), strict=True):
        task["annotations"][0]["result"] = [{"type": "choices", "value": {"choices": [name]}}]
    given.write_text(json.dumps(tasks))
    assert "a class of the whole picture ('car')" in refused(given, tmp_path / "labelled")
    target = LabelTarget("classification", TARGET.labels)
    import_labels(given, given.parent / "images", target, tmp_path / "labelled")
    data = Dataset.find(tmp_path / "labelled").open(None, "val")
    labels = data.read(TARGET.labels)
    check_labels("classification", data.pictures, labels)
    assert [one.classes.tolist() for one in labels] == [[2], [2], [0]]


def test_the_command_takes_labels_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given, out = exported(tmp_path / "frames", "coco"), tmp_path / "labelled"
    command = ["frames", "labels", given, "--bundle", QUICK_NAME, "--out", out]
    assert main([str(one) for one in (*command, "--json")]) == 0
    assert json.loads(capsys.readouterr().out)["objects"] == {"car": 1, "person": 2}
    assert "is there already; name a new folder" in mistake(capsys, 6, *command)
    command[2:3] = [tmp_path / "nothing.json", "--images", tmp_path / "frames"]
    assert "no such file or folder of labels" in mistake(capsys, 6, *command[:-1], tmp_path / "x")
    given.write_text("{")
    command[2] = given
    assert "not JSON" in mistake(capsys, 6, *command[:-1], tmp_path / "x")
    archive = tmp_path / "labels.zip"
    archive.touch()
    command[2] = archive
    assert "unpack archives first" in mistake(capsys, 6, *command[:-1], tmp_path / "x")


def test_yolo_labels_that_two_files_claim_are_refused(tmp_path: Path) -> None:
    given, out = exported(tmp_path / "frames", "yolo"), tmp_path / "labelled"
    twice = given / "labels" / "val" / "gate-3.txt"
    twice.parent.mkdir()
    twice.write_text("0 0.5 0.5 0.1 0.1\n")
    text = refused(given, out)
    assert "labels/gate-3.txt and " in text
    assert "labels/val/gate-3.txt: which labels belong to which picture? keep or rename one" in text
    twice.unlink()
    image = given / "images" / "gate-3.jpg"
    image.with_suffix(".png").write_bytes(image.read_bytes())
    assert "images/gate-3.png: which labels belong to which picture? keep or rename one" in refused(
        given, out
    )
    (given / "labels" / "gate-3.txt").unlink()
    found = import_labels(given, given / "images", TARGET, out)
    assert (found.pictures, found.waiting) == (2, 2)


@pytest.mark.parametrize(
    ("key", "name", "words"),
    [
        ("categories", "\ud800", "half of a surrogate pair"),
        ("images", "\ud800.jpg", "half of a surrogate pair"),
        ("categories", "a\u0007", "the class 'a\\x07' has control characters; rename it in the tool"),
        ("categories", "a\nb", "the class 'a\\nb' has control characters; rename it in the tool"),
    ],
)
def test_text_that_cannot_be_kept_is_refused(key: str, name: str, words: str, tmp_path: Path) -> None:
    given = exported(tmp_path / "frames", "coco")
    document = json.loads(given.read_text())
    document[key][0]["file_name" if key == "images" else "name"] = name
    given.write_text(json.dumps(document))
    assert words in refused(given, tmp_path / "labelled")


def test_pairs_of_surrogates_are_text(tmp_path: Path) -> None:
    given = exported(tmp_path / "frames", "coco")
    given.write_text(given.read_text().replace('"person"', '"\\ud83d\\udeb6"'))
    found = import_labels(
        given, given.parent / "images", LabelTarget("detection", ("\U0001f6b6", "car")), tmp_path / "out"
    )
    assert found.objects["\U0001f6b6"] == 2


def test_tasks_of_label_studio_that_cannot_be_kept_are_refused(tmp_path: Path) -> None:
    given = exported(tmp_path / "frames", "label-studio")
    whole = json.loads(given.read_text())
    given.write_text(json.dumps([{**whole[0], "data": {"image": "http://[x"}}]))
    words = "task 0: data: image: 'http://[x' is no address"
    assert words in refused(given, tmp_path / "labelled")
    for values, words in (
        ({"rectanglelabels": [""]}, "the class '' is empty; rename it in the tool"),
        ({"x": HUGE}, "rectanglelabels"),
        ({"original_width": HUGE}, "original_width"),
    ):
        given.write_text(json.dumps(whole))
        change(given, **values)
        assert words in refused(given, tmp_path / "labelled")


def test_boxes_of_cvat_that_are_turned_by_nothing_are_taken(tmp_path: Path) -> None:
    given = exported(tmp_path / "frames", "cvat")
    whole = given.read_text()
    given.write_text(whole.replace("<box ", '<box rotation="right" ', 1))
    assert "rotation: expected a number, got 'right'" in refused(given, tmp_path / "labelled")
    given.write_text(whole.replace("<box ", "<rectangle ", 1))
    assert "has a rectangle; boxes, polygons and tags" in refused(given, tmp_path / "labelled")
    given.write_text(whole.replace("<box ", '<box rotation="0.000" '))
    found = import_labels(given, given.parent / "images", TARGET, tmp_path / "labelled")
    assert found.objects == {"car": 1, "person": 2}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("coco", "annotations/instances_default.json"),
        ("coco", "result.json"),
        ("label-studio", "project-1-at-2026-05-01.json"),
        ("cvat", "task/ANNOTATIONS.XML"),
    ],
)
def test_files_of_a_folder_are_known_by_their_content(kind: str, name: str, tmp_path: Path) -> None:
    given = exported(tmp_path / "frames", kind)
    images, folder = given.parent / "images", tmp_path / "back"
    (folder / name).parent.mkdir(parents=True)
    given.rename(folder / name)
    (folder / "notes.json").write_text('{"info": {}}')
    found = import_labels(folder, images, TARGET, tmp_path / "labelled")
    assert found.objects == {"car": 1, "person": 2}


def test_a_folder_with_two_kinds_of_labels_is_refused(tmp_path: Path) -> None:
    given = exported(tmp_path / "frames", "yolo")
    coco = exported(tmp_path / "others", "coco")
    (given / "annotations.json").write_bytes(coco.read_bytes())
    text = refused(given, tmp_path / "labelled")
    assert "holds labels twice, COCO in annotations.json and YOLO in labels; which are right?" in text
    (given / "annotations.json").write_text("{")
    assert "annotations.json: not JSON" in refused(given, tmp_path / "labelled")
    (given / "annotations.json").write_text('{"images": []}')
    import_labels(given, given / "images", TARGET, tmp_path / "labelled")


@pytest.mark.parametrize("kind", sorted(EXPORTS))
@pytest.mark.parametrize("label", ["a\u0007", "\ud800", " "])
def test_labels_that_tools_cannot_read_are_not_exported(kind: str, label: str, tmp_path: Path) -> None:
    picture = ProposedPicture(
        tmp_path / "a.jpg", "a.jpg", 9, 9, (ProposedObject(label, 0.5, (0.1, 0.1, 0.5, 0.5)),)
    )
    with pytest.raises(DataError, match=r"is blank or has control characters.*rename the class"):
        export_labels([picture], kind, tmp_path / "out")
    assert not (tmp_path / "out").exists()
