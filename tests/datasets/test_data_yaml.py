from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from edgeagent.datasets.data_yaml import data_yaml_splits
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.errors import DataError
from tests.datasets.layouts import (
    LABELS,
    cell_scene,
    write_pairs,
    write_roboflow,
    write_ultralytics,
    write_yaml,
)

SCENES = [cell_scene(((2, 1),)), cell_scene(((6, 3),), [(1, 0.0, 0.0, 16.0, 8.0)]), cell_scene(())]
NAMES = ["person", "Straßenbahn"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set with two folders of pictures; labels have the numbers of the model."""
    write_pairs(SCENES, tmp_path / "images" / "val", tmp_path / "labels" / "val")
    write_pairs(SCENES[:1], tmp_path / "images" / "more" / "deep", tmp_path / "labels" / "more" / "deep")
    return tmp_path


def opened(file: Path, split: str = "val", **content: Any) -> LabelledPictures:
    if content:
        write_yaml(file, {"names": NAMES, **content})
    return data_yaml_splits(file)[split]()


def refusal(file: Path, **content: Any) -> str:
    with pytest.raises(DataError) as caught:
        opened(file, **content)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert "\n" not in message
    return message.removeprefix(f"{file}: ")


def names(data: LabelledPictures) -> list[str]:
    return ["/".join(path.parts[-2:]) for path in data.pictures]


@pytest.mark.parametrize("write", [write_ultralytics, write_roboflow])
def test_an_export_is_read_from_every_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Any
) -> None:
    file = write(SCENES, tmp_path / "set")
    monkeypatch.chdir(tmp_path)
    for path in (file, file.relative_to(tmp_path)):
        data = opened(path)
        assert [path.name for path in data.pictures] == ["0.png", "1.png", "2.png"]
        assert [labels.classes.tolist() for labels in data.read(LABELS)] == [[0], [0, 1], []]


def test_roboflow_writes_folders_beside_the_file_as_above_it(tmp_path: Path) -> None:
    file = write_roboflow(SCENES, tmp_path / "set")
    assert opened(file).pictures[0] == file.parent / "valid" / "images" / "0.png"
    shutil.copytree(file.parent / "valid", tmp_path / "valid")  # as the text says it: taken first
    assert (tmp_path / "valid").samefile(opened(file).pictures[0].parents[1])


def test_a_list_of_folders_with_folders_inside(root: Path) -> None:
    data = opened(root / "d.yaml", val=["images/val", "images/more"], train="images/val")
    assert names(data) == ["val/0.png", "val/1.png", "val/2.png", "deep/0.png"]
    assert [len(labels.classes) for labels in data.read(LABELS)] == [1, 2, 0, 1]


def test_a_text_file_lists_pictures(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    listed = ["./images/val/1.png", "images/more/deep/0.png", str(root / "images/val/0.png")]
    lines = [*listed, "", listed[0], "images/val/absent.png", "labels/val/0.txt"]
    (root / "val.txt").write_bytes("\r\n".join(lines).encode())
    data = opened(root / "d.yaml", val="val.txt")
    assert names(data) == ["val/1.png", "deep/0.png", "val/0.png"]
    assert caplog.messages == [
        f"{root / 'val.txt'}: 2 of 6 lines are no picture on the disk and are left out; the first is "
        "images/val/absent.png",
        f"{root / 'd.yaml'}: val: 1 pictures are named more than once and count once",
    ]
    (root / "val.txt").write_text("absent.png\n")
    assert refusal(root / "d.yaml") == (
        f"line 4: val: {root / 'val.txt'}: none of its 1 lines is a picture on the disk; the first is "
        "absent.png"
    )


def test_labels_lie_beside_pictures_without_a_folder_images(tmp_path: Path) -> None:
    write_pairs(SCENES, tmp_path / "set", tmp_path / "texts")
    for path in (tmp_path / "texts").iterdir():
        path.rename(tmp_path / "set" / path.name.upper())
    data = opened(tmp_path / "d.yaml", val="set")
    assert [len(labels.classes) for labels in data.read(LABELS)] == [1, 2, 0]


def test_the_last_folder_images_of_a_path_counts(tmp_path: Path) -> None:
    folder = tmp_path / "images" / "set"
    write_pairs(SCENES, folder / "images" / "a", folder / "labels" / "a")
    assert any(opened(folder / "d.yaml", val="images").label_files)


def test_the_root_is_that_of_path(root: Path, tmp_path: Path) -> None:
    (root / "x").mkdir()
    for path in (str(root), "..", "../../" + root.name):
        assert len(opened(root / "x" / "d.yaml", path=path, val="images/val")) == 3
    # moved together with the file, whose folder still has the name
    assert len(opened(root / "d.yaml", path=f"/nowhere/{root.name}", val="images/val")) == 3


def test_names_are_a_list_or_numbered_in_any_order(root: Path) -> None:
    file = root / "d.yaml"
    file.write_text("val: images/val\nnames:\n  1: Person\n  0: Straßenbahn\nnc: 2\ndownload: |\n  code\n")
    assert [labels.classes.tolist() for labels in opened(file).read(LABELS)] == [[1], [1, 0], []]
    file.write_text("val: images/val\nnames: [0, 1]\n")
    with pytest.raises(DataError, match=r"none of its classes \(0, 1\) is a label of the model"):
        opened(file).read(LABELS)


def test_a_class_beyond_the_names(root: Path) -> None:
    data = opened(root / "d.yaml", val="images/val", names=["person"])
    with pytest.raises(DataError, match=r"1\.txt:2: class 1 is not one of the 1 labels"):
        data.read(LABELS)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"val": None}, "line 1: none of `train`, `val`, `test` names a folder of pictures; add one"),
        ({"val": "absent"}, "line 4: val: absent: no such folder or list of pictures in "),
        ({"val": ["images/val", "absent"]}, "line 6: val.1: absent: no such folder or list of pictures in "),
        ({"val": 3}, "line 4: val: expected a folder of pictures, got 3"),
        ({"val": "labels/val"}, "line 4: val: labels/val: contains no pictures"),
        ({"val": "d.yaml"}, "line 4: val: d.yaml: expected a folder of pictures or a .txt file"),
        ({"val": "bare"}, "line 4: val: none of the 1 pictures has a label file; they are looked for in "),
        (
            {"path": "/absent", "val": "x"},
            "line 4: path: /absent: no such folder; correct it, or delete the line",
        ),
        ({"val": "a\0b"}, "line 4: val: a\\x00b: no such folder or list"),
        ({"val": "a" * 5000}, "line 4: val: aaa"),
        ({"path": "a\0b", "val": "x"}, "line 4: path: a\\x00b: no such folder"),
        ({"path": 3, "val": "x"}, "line 4: path: expected a folder, got 3"),
        (
            {"names": None, "val": "x"},
            "line 1: names: expected the names of the classes, a list or `0: name`",
        ),
        ({"names": [], "val": "x"}, "line 1: names: is empty; list the names of the classes"),
        ({"names": {0: "a", 2: "b"}, "val": "x"}, "line 3: names.2: expected the numbers 0 to 1, each once"),
        ({"names": ["a", True], "val": "x"}, "line 3: names.1: expected a name, got True; quote it"),
        ({"nc": "2", "val": "x"}, "line 4: nc: expected a whole number, got '2'"),
        ({"nc": 3, "val": "x"}, "line 4: nc: is 3, but `names` has 2; correct one of them"),
    ],
)
def test_a_mistake_is_named_with_its_line(
    root: Path, tmp_path: Path, content: dict[str, Any], sentence: str
) -> None:
    (root / "bare").mkdir()
    shutil.copy(root / "images" / "val" / "0.png", root / "bare")
    message = refusal(root / "d.yaml", **content).replace(f"{root}/", "")
    assert message.startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a", "expected the keys `train`, `val` and `names`"),
        ("", "expected the keys `train`, `val` and `names`"),
        ("val: x\nval: y\nnames: [a]", "line 2: the key 'val' stands there twice"),
        ("val: [x", "line 1: "),
        ("val: &a x", "line 1: anchors (&) and aliases (*) are not allowed"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "d.yaml").write_text(text)
    assert refusal(tmp_path / "d.yaml").startswith(sentence)


def test_two_pictures_with_one_label_file(root: Path) -> None:
    shutil.copy(root / "images" / "val" / "0.png", root / "images" / "val" / "0.jpg")
    with pytest.raises(DataError, match=r"0\.jpg and .*0\.png: which labels belong to which picture"):
        opened(root / "d.yaml", val="images/val")


def test_names_belong_to_the_hash(root: Path) -> None:
    first = opened(root / "d.yaml", val="images/val").data_hash()
    assert opened(root / "d.yaml", val="images/val").data_hash() == first
    assert opened(root / "d.yaml", val="images/val", names=NAMES[::-1]).data_hash() != first
