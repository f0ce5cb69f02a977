from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgeagent.datasets.dataset import Dataset
from edgeagent.datasets.given import GivenData, check_data
from edgeagent.errors import ConfigurationError, DataError
from tests.datasets.layouts import LABELS, cell_scene, write_coco, write_pairs, write_ultralytics

SCENES = [cell_scene(((2, 1),)), cell_scene(((6, 3),))]


def test_the_splits_of_folders(tmp_path: Path) -> None:
    for name in ("train", "valid"):
        write_pairs(SCENES, tmp_path / name / "images", tmp_path / name / "labels")
    found = Dataset.find(tmp_path)
    assert list(found.splits) == ["train", "val"]
    assert found.open(None, "train").pictures[0] == tmp_path / "train" / "images" / "0.png"
    assert found.open("val", "train").pictures[0] == tmp_path / "valid" / "images" / "0.png"
    with pytest.raises(DataError, match="has no split test; it has train, val"):
        found.open("test", "val")


def test_folders_without_splits(tmp_path: Path) -> None:
    write_pairs(SCENES, tmp_path / "images", tmp_path / "labels")
    for path in (tmp_path, tmp_path / "images"):
        data = Dataset.find(path).open(None, "val")
        assert [labels.classes.tolist() for labels in data.read(LABELS)] == [[0], [0]]
    with pytest.raises(ConfigurationError, match="has no splits; leave --split out"):
        Dataset.find(tmp_path).open("val", "val")


def test_a_folder_of_roboflow_with_coco_json(tmp_path: Path) -> None:
    for name in ("train", "valid", "test"):
        write_coco(SCENES, tmp_path, f"{name}/_annotations.coco.json", name)
    assert list(Dataset.find(tmp_path).splits) == ["train", "val", "test"]
    assert len(Dataset.find(tmp_path / "valid").open(None, "train")) == 2


def test_two_files_of_one_split(tmp_path: Path) -> None:
    for year in ("2014", "2017"):
        write_coco(SCENES, tmp_path, f"annotations/instances_val{year}.json", "images")
    with pytest.raises(
        DataError, match=r"which file is the split val\? instances_val2014\.json, instances_val2017"
    ):
        Dataset.find(tmp_path)
    assert len(Dataset.find(tmp_path / "annotations" / "instances_val2017.json").open(None, "val")) == 2


def test_data_yaml_comes_first(tmp_path: Path) -> None:
    write_coco(SCENES, tmp_path, "valid/_annotations.coco.json", "valid")
    write_ultralytics(SCENES[:1], tmp_path)
    assert len(Dataset.find(tmp_path).open(None, "val")) == 1


def test_what_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent: no such file or folder of a data set"):
        Dataset.find(tmp_path / "absent")
    with pytest.raises(DataError, match=r"no data set here: expected data\.yaml, _annotations\.coco\.json, "):
        Dataset.find(tmp_path)
    (tmp_path / "a.csv").touch()
    with pytest.raises(DataError, match=r"a\.csv: expected data\.yaml, a COCO file"):
        Dataset.find(tmp_path / "a.csv")
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match="images: contains no pictures"):
        Dataset.find(tmp_path).open(None, "val")


def test_a_folder_of_pictures_goes_with_coco(tmp_path: Path) -> None:
    file = write_ultralytics(SCENES, tmp_path / "a")
    with pytest.raises(ConfigurationError, match="--dataset-images goes with COCO JSON"):
        Dataset.find(file, tmp_path)
    coco = write_coco(SCENES, tmp_path / "b", "x.json", "somewhere")
    assert len(Dataset.find(coco, coco.parent / "somewhere").open(None, "val")) == 2


def test_what_is_given_goes_together(tmp_path: Path) -> None:
    assert GivenData().open() is None
    for given, message in (
        (GivenData(images=tmp_path), "^--images and --labels belong together: give both or none$"),
        (GivenData(labels=tmp_path, prefix="--val-"), "^--val-images and --val-labels belong together"),
        (GivenData(tmp_path, labels=tmp_path), "^give a data set or --images and --labels, not both$"),
        (GivenData(split="val"), "^--split and --dataset-images go with --dataset$"),
        (GivenData(tmp_path, "valid"), "^--split: expected one of train, val, test, got 'valid'$"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            given.open()


def test_labels_and_pictures_are_checked_before_work(tmp_path: Path) -> None:
    data = Dataset.find(write_ultralytics(SCENES, tmp_path)).open(None, "val")
    seen: list[int] = []
    check_data(data, LABELS, seen.append)
    assert seen == [1, 2]
    data.pictures[1].write_bytes(b"")
    with pytest.raises(DataError, match=r"1\.png is empty"):
        check_data(data, LABELS)


@pytest.mark.parametrize("name", ["d.json", "data.yaml"])
def test_a_pipe_is_not_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match="no such file or folder of a data set"):
        Dataset.find(tmp_path / name)
