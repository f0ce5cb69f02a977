"""Pictures in one folder for each label, and labels that do not fit the task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeagent.datasets.dataset import Dataset
from edgeagent.datasets.labels import Labels, labels_of, whole_picture
from edgeagent.datasets.task_labels import check_labels
from edgeagent.errors import DataError
from tests.classifier import COLOURS, colour_pictures


def test_a_folder_is_a_label_in_any_writing(tmp_path: Path) -> None:
    colour_pictures(tmp_path, 2)
    (tmp_path / "red").rename(tmp_path / "Dark_Red")
    found = Dataset.find(tmp_path).open(None, "val")
    classes = [int(one.classes[0]) for one in found.read(("blue", "green", "dark red"))]
    assert sorted(classes) == [0, 0, 1, 1, 2, 2]
    assert {path.parent.name for path in found.pictures} == {"blue", "green", "Dark_Red"}
    assert all(
        one.whole and one.boxes.tolist() == [[0.5, 0.5, 1, 1]]
        for one in found.read(("blue", "green", "dark red"))
    )


def test_splits_are_found_and_the_hash_depends_on_names_and_contents(tmp_path: Path) -> None:
    colour_pictures(tmp_path / "train", 1)
    colour_pictures(tmp_path / "valid", 2)
    found = Dataset.find(tmp_path)
    assert set(found.splits) == {"train", "val"}
    data = found.open(None, "val")
    assert len(data) == 6
    before = data.data_hash()
    assert before == found.open(None, "val").data_hash() != found.open("train", "val").data_hash()
    (tmp_path / "valid" / "red").rename(tmp_path / "valid" / "crimson")
    assert Dataset.find(tmp_path).open(None, "val").data_hash() != before


def test_a_folder_that_is_no_label_is_named(tmp_path: Path) -> None:
    colour_pictures(tmp_path, 1)
    data = Dataset.find(tmp_path).open(None, "val")
    with pytest.raises(DataError, match="'red' is none of the 1000 labels of the model"):
        data.read((*COLOURS[:2], *map(str, range(998))))


@pytest.mark.parametrize(
    ("task", "labels", "said"),
    [
        ("detection", whole_picture(0), "is labelled with the class of the whole picture"),
        ("classification", labels_of([(0, 0.5, 0.5, 0.2, 0.2)]), "has a box in a part of it"),
        ("classification", labels_of([(0, 0.5, 0.5, 1, 1), (1, 0.5, 0.5, 1, 1)]), "has 2 labelled objects"),
        ("classification", labels_of([]), "has 0 labelled objects"),
    ],
)
def test_labels_of_another_task_are_refused(task: str, labels: Labels, said: str) -> None:
    with pytest.raises(DataError, match=rf"7\.jpg: {said}"):
        check_labels(task, [Path("7.jpg")], [labels])  # type: ignore[arg-type]


def test_labels_of_the_task_are_taken() -> None:
    check_labels("classification", [Path("1.jpg")], [labels_of([(2, 0.5, 0.5, 1, 1)])])
    check_labels("detection", [Path("1.jpg")], [labels_of(np.zeros((0, 5)).tolist())])
