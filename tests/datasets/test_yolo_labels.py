"""Label files, valid and invalid, and their pictures."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeagent.datasets.yolo_labels import LabelledPictures, read_labels
from edgeagent.errors import DataError

CLASSES = 80
NAMES = [f"class {number}" for number in range(CLASSES)]
RIGHT = "3 0.5 0.25 0.125 0.0625"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path: Path, classes: int = CLASSES) -> str:
    with pytest.raises(DataError) as caught:
        read_labels(path, classes)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(str(path))


def test_lines_become_arrays(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path / "a.txt", f"{RIGHT}\n\n  79\t0 1 1 0.5  \r\n"), CLASSES)
    assert labels.classes.tolist() == [3, 79]
    assert labels.boxes.tolist() == [[0.5, 0.25, 0.125, 0.0625], [0, 1, 1, 0.5]]
    assert (str(labels.classes.dtype), str(labels.boxes.dtype)) == ("int32", "float32")


@pytest.mark.parametrize("content", [None, "", "\n \n"], ids=["no file", "empty", "blank lines"])
def test_a_picture_without_objects(tmp_path: Path, content: str | None) -> None:
    labels = read_labels(None if content is None else write(tmp_path / "a.txt", content), CLASSES)
    assert (labels.classes.shape, labels.boxes.shape) == ((0,), (0, 4))
    assert (str(labels.classes.dtype), str(labels.boxes.dtype)) == ("int32", "float32")


@pytest.mark.parametrize(
    "line",
    [
        "3 0.5 0.5 0.1",
        "3 0.5 0.5 0.1 0.1 0.9 0.9 0.9",
        "3",
        "person 0.5 0.5 0.1 0.1",
        "3,0.5,0.5,0.1,0.1",
        "3 0.5 0.5 x 0.1",
    ],
)
def test_a_line_that_is_not_five_numbers(tmp_path: Path, line: str) -> None:
    message = refusal(write(tmp_path / "a.txt", f"{RIGHT}\n\n{line}\n{RIGHT}\n"))
    assert message == f":3: expected `class x y width height`, got {line!r}"


@pytest.mark.parametrize("index", ["80", "-1", "1.5", "nan", "inf", "1e9"])
def test_a_class_that_is_none_of_the_labels(tmp_path: Path, index: str) -> None:
    message = refusal(write(tmp_path / "a.txt", f"{index} 0.5 0.5 0.1 0.1"))
    assert message == f":1: class {float(index):g} is not one of the 80 labels (0..79)"


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1.02", "-0.02", "320"])
@pytest.mark.parametrize("column", range(1, 5))
def test_a_number_that_is_no_share_of_the_picture(tmp_path: Path, number: str, column: int) -> None:
    words = RIGHT.split()
    words[column] = number
    message = refusal(write(tmp_path / "a.txt", " ".join(words)))
    assert message.startswith(":1: positions and sizes are fractions of the picture size, 0..1; got '3 ")
    assert number in message


def test_shares_may_be_rounded_a_little_beyond_the_picture(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path / "a.txt", "0 1.000001 -0.000001 1.005 0.5"), 1)
    np.testing.assert_allclose(labels.boxes, [[1.000001, -0.000001, 1.005, 0.5]])


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, CLASSES - 1), *[st.floats(0.125, 1, width=32)] * 4),
        min_size=1,
        max_size=8,
        unique=True,
    )
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, ...]]
) -> None:
    path = tmp_path_factory.mktemp("labels") / "a.txt"
    labels = read_labels(write(path, "\n".join(" ".join(map(repr, row)) for row in rows)), CLASSES)
    assert labels.classes.tolist() == [row[0] for row in rows]
    assert labels.boxes.tolist() == [list(row[1:]) for row in rows]


@pytest.mark.parametrize(
    ("line", "remark"),
    [
        (RIGHT, "1 repeated lines are counted once"),
        ("1 0.5 0.5 0.0 0.1", "1 boxes without an area are left out"),
        ("1 0.5 0.5 0.1 -0.005", "1 boxes without an area are left out"),
    ],
    ids=["repeated", "no width", "negative height"],
)
def test_lines_that_change_nothing_are_left_out_with_a_warning(
    tmp_path: Path, line: str, remark: str, caplog: pytest.LogCaptureFixture
) -> None:
    labels = read_labels(write(tmp_path / "a.txt", f"{RIGHT}\n{line}\n"), CLASSES)
    assert labels.boxes.tolist() == [[0.5, 0.25, 0.125, 0.0625]]
    assert [record.message for record in caplog.records] == [f"{tmp_path / 'a.txt'}: {remark}"]


def test_a_polygon_becomes_the_box_around_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    labels = read_labels(write(tmp_path / "a.txt", "3 0.25 0.5 0.75 0.25 0.5 0.875"), CLASSES)
    assert labels.classes.tolist() == [3]
    assert labels.boxes.tolist() == [[0.5, 0.5625, 0.5, 0.625]]
    assert "1 objects have polygons, of which a detector takes the box around" in caplog.text
    assert "fractions of the picture size" in refusal(
        write(tmp_path / "b.txt", "3 0.25 0.5 0.75 0.25 0.5 1.5 0.1 0.1")
    )


def test_a_confidence_is_ignored_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    labels = read_labels(write(tmp_path / "a.txt", f"{RIGHT} 0.93\n"), CLASSES)
    assert labels.boxes.tolist() == [[0.5, 0.25, 0.125, 0.0625]]
    assert "1 lines have a sixth number, which is taken for a confidence and ignored" in caplog.text


def test_a_byte_order_mark_and_line_ends_of_windows(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    labels = read_labels(write(tmp_path / "a.txt", f"\ufeff{RIGHT}\r\n4 0.5 0.5 0.1 0.1\r\n"), CLASSES)
    assert labels.classes.tolist() == [3, 4]
    assert not caplog.records


def test_remarks_on_many_files_are_logged_once(
    folders: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    _, labels = folders
    for name in ("a.txt", "b.txt"):
        write(labels / name, f"{RIGHT}\n{RIGHT}\n")
    assert [len(one.classes) for one in LabelledPictures.find(*folders).read(NAMES)] == [1, 1, 0]
    assert [record.message for record in caplog.records] == [f"{labels}: 2 repeated lines are counted once"]


def test_what_is_no_picture_is_left_out_with_a_warning(
    folders: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    images, labels = folders
    write(images / "._a.jpg", "resource fork")
    (images / "old.jpg").mkdir()
    (images / "p9.jpg").symlink_to(images / "gone.jpg")
    (labels / "a.txt").rename(labels / "a.TXT")
    data = LabelledPictures.find(*folders)
    assert [picture.name for picture in data.pictures] == ["a.JPG", "b.png", "c.jpg"]
    assert data.label_files[0] == labels / "a.TXT"
    assert [record.message for record in caplog.records] == [
        f"{images}: 3 names are left out, as they are folders, dead links or resource forks of macOS; the "
        "first is ._a.jpg"
    ]


def test_long_lines_are_cut_in_the_message(tmp_path: Path) -> None:
    assert len(refusal(write(tmp_path / "a.txt", "0.5 " * 1000))) < 150


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "cannot be read as labels" in refusal(tmp_path / "missing.txt")
    assert "cannot be read as labels" in refusal(tmp_path)
    assert "cannot be read as labels" in refusal(write(tmp_path / "a.txt", b"0 0.5 0.5 0.1 0.1 \xe9"))
    with pytest.raises(DataError, match=r"\\xff\.txt: cannot be read") as caught:
        read_labels(tmp_path / os.fsdecode(b"\xff.txt"), CLASSES)
    str(caught.value).encode()


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return folders with pictures b.png, a.JPG and c.jpg, labels of a and b, and unrelated files."""
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.mkdir()
    labels.mkdir()
    for name in ("b.png", "a.JPG", "c.jpg", "notes.md"):
        write(images / name, f"picture {name}")
    for name in ("a.txt", "b.txt", "c.json"):
        write(labels / name, RIGHT)
    return images, labels


def test_pictures_are_paired_with_labels_by_name(
    folders: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    images, labels = folders
    data = LabelledPictures.find(*folders)
    assert len(data) == 3
    assert data.pictures == (images / "a.JPG", images / "b.png", images / "c.jpg")
    assert data.label_files == (labels / "a.txt", labels / "b.txt", None)
    assert not caplog.records


def test_two_pictures_with_one_label_file_are_refused(folders: tuple[Path, Path]) -> None:
    images, _ = folders
    write(images / "a.png", "the same picture in another format")
    with pytest.raises(DataError, match=r"a\.JPG and .*a\.png: which labels belong to which picture"):
        LabelledPictures.find(*folders)


def test_labels_without_a_picture_are_logged(
    folders: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("z.txt", "classes.txt"):
        write(folders[1] / name, "")
    with caplog.at_level(logging.WARNING):
        assert len(LabelledPictures.find(*folders)) == 3
    (record,) = caplog.records
    assert record.getMessage() == f"2 label files have no picture, the first is {folders[1] / 'classes.txt'}"


def test_folders_that_do_not_fit(folders: tuple[Path, Path], tmp_path: Path) -> None:
    images, labels = folders
    empty = tmp_path / "empty"
    empty.mkdir()
    missing = tmp_path / "missing"
    for pair in ((missing, labels), (images, missing)):
        with pytest.raises(DataError, match="missing: no such folder"):
            LabelledPictures.find(*pair)
    with pytest.raises(DataError, match="empty: contains no pictures"):
        LabelledPictures.find(empty, labels)
    with pytest.raises(DataError, match=r"empty: no label file matches a picture of .*images"):
        LabelledPictures.find(images, empty)


def test_the_hash_is_that_of_names_and_contents(folders: tuple[Path, Path], tmp_path: Path) -> None:
    images, labels = folders
    first = LabelledPictures.find(*folders).data_hash()
    assert len(first) == 64
    assert LabelledPictures.find(*folders).data_hash() == first
    write(labels / "z.txt", RIGHT)  # without a picture
    assert LabelledPictures.find(*folders).data_hash() == first
    moved = images.rename(tmp_path / "elsewhere")
    assert LabelledPictures.find(moved, labels).data_hash() == first
    hashes = [first]
    write(labels / "a.txt", f"{RIGHT}\n")
    hashes.append(LabelledPictures.find(moved, labels).data_hash())
    write(moved / "b.png", "another picture")
    hashes.append(LabelledPictures.find(moved, labels).data_hash())
    (moved / "c.jpg").rename(moved / "d.jpg")
    hashes.append(LabelledPictures.find(moved, labels).data_hash())
    write(labels / "d.txt", "")
    hashes.append(LabelledPictures.find(moved, labels).data_hash())
    assert len(set(hashes)) == 5
