"""Class masks as labels: what they may be, what is refused, and which tasks they are for."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edgeagent.datasets.class_masks import ClassMask, open_mask
from edgeagent.datasets.class_names import ClassNames
from edgeagent.datasets.labelled_pixels import labelled_pixels, outline_text
from edgeagent.datasets.labels import masked
from edgeagent.datasets.task_labels import check_labels
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.errors import DataError
from edgeagent.vision.class_map import UNLABELLED

CLASSES = np.array([[0, 1, 2], [255, 2, 2]], np.uint8)
EXPECTED = [[0, 1, 2], [UNLABELLED, 2, 2]]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    path = tmp_path / "images" / "one.jpg"
    cv2.imwrite(str(path), np.zeros((2, 3, 3), np.uint8))
    return path


def write(folder: Path, image: Image.Image, name: str = "one.png") -> Path:
    folder.mkdir(exist_ok=True)
    image.save(folder / name)
    return folder / name


def palette(classes: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Image.Image:
    image = Image.fromarray(classes, "P")
    image.putpalette([value for index in range(256) for value in (index * 7 % 256, 9, 200 - index % 200)])
    return image


@pytest.mark.parametrize(
    "image", [Image.fromarray(CLASSES), Image.fromarray(CLASSES.astype(np.uint16)), palette(CLASSES)]
)
def test_grey_and_palette_pictures_are_class_indices(
    image: Image.Image, picture: Path, tmp_path: Path
) -> None:
    mask = open_mask(write(tmp_path / "labels", image), picture, 3)
    assert mask.read().tolist() == EXPECTED
    assert mask.classes == (0, 1, 2)


def test_a_mask_of_two_values(picture: Path, tmp_path: Path) -> None:
    mask = open_mask(write(tmp_path / "labels", Image.fromarray(CLASSES == 2)), picture, 2)
    assert mask.read().tolist() == [[0, 0, 1], [0, 1, 1]]


def test_masks_are_found_beside_pictures_and_classes_matched_by_name(picture: Path, tmp_path: Path) -> None:
    write(tmp_path / "labels", Image.fromarray(CLASSES))
    names = ClassNames(("sky", "road", "Lane"), tmp_path / "data.yaml")
    found = LabelledPictures.find(picture.parent, tmp_path / "labels")
    (own,) = LabelledPictures(found.pictures, found.label_files, names).read(("lane", "road"))
    moved = labelled_pixels(own, ("lane", "road"), (2, 3))
    assert moved.tolist() == [[UNLABELLED, 1, 0], [UNLABELLED, 0, 0]]
    check_labels("segmentation", found.pictures, [own])


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_pictures_of_few_bits(bits: int, picture: Path, tmp_path: Path) -> None:
    highest = 2**bits - 1
    classes = np.array([[0, 1, highest], [highest, 0, 1]], np.uint8)
    width = -(-3 * bits // 8)
    lines = ["".join(f"{value:0{bits}b}" for value in line).ljust(8 * width, "0") for line in classes]
    raw = b"".join(b"\0" + int(line, 2).to_bytes(width, "big") for line in lines)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 3, 2, bits, 0, 0, 0, 0)
    path = tmp_path / "one.png"
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    assert open_mask(path, picture, highest + 1).read().tolist() == classes.tolist()


def test_a_picture_without_a_mask_beside_others_is_refused(picture: Path, tmp_path: Path) -> None:
    write(tmp_path / "labels", Image.fromarray(CLASSES))
    cv2.imwrite(str(picture.with_name("two.jpg")), np.zeros((2, 3, 3), np.uint8))
    with pytest.raises(DataError, match=r"two.jpg: has no mask and others have one"):
        LabelledPictures.find(picture.parent, tmp_path / "labels").read(("a", "b", "c"))


def test_text_files_of_others_hide_no_mask(picture: Path, tmp_path: Path) -> None:
    mask = write(tmp_path / "labels", Image.fromarray(CLASSES))
    mask.with_name("classes.txt").write_text("sky\nroad\nlane\n")
    assert LabelledPictures.find(picture.parent, mask.parent).label_files == (mask,)


def test_text_files_are_preferred_and_pictures_are_no_masks_of_themselves(
    picture: Path, tmp_path: Path
) -> None:
    mask = write(tmp_path / "labels", Image.fromarray(CLASSES))
    mask.with_suffix(".txt").write_text("0 .5 .5 1 1\n")
    assert LabelledPictures.find(picture.parent, mask.parent).label_files == (mask.with_suffix(".txt"),)
    only = tmp_path / "only"
    write(only, Image.fromarray(CLASSES))
    with pytest.raises(DataError, match="no label file matches"):
        LabelledPictures.find(only, only)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (
            Image.fromarray(CLASSES.repeat(2, 0)),
            r"is 3 x 4 pixels and its picture .*one.jpg 3 x 2; a mask has",
        ),
        (Image.fromarray(CLASSES + 1), "row 0, column 2 has the class 3, and there are 3 classes"),
        (
            Image.fromarray(np.zeros((2, 3, 3), np.uint8)),
            "has 3 numbers for each pixel, and a class mask one",
        ),
    ],
)
def test_what_cannot_be_the_mask_of_a_picture_is_refused(
    image: Image.Image, message: str, picture: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        masked(write(tmp_path / "labels", image), picture, 3)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 64])
def test_a_damaged_file_is_refused(content: bytes, picture: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"one.png: cannot be read as a class mask"):
        open_mask(path, picture, 3)


def test_a_truncated_file_is_refused(picture: Path, tmp_path: Path) -> None:
    path = write(
        tmp_path / "labels", Image.fromarray(np.random.default_rng(0).integers(0, 3, (64, 64), np.uint8))
    )
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DataError, match="cannot be read as a class mask"):
        open_mask(path, picture, 3)


@pytest.mark.parametrize(("task", "needed"), [("detection", "boxes"), ("classification", "one folder")])
def test_other_tasks_refuse_masks(task: str, needed: str, picture: Path, tmp_path: Path) -> None:
    own = masked(write(tmp_path / "labels", Image.fromarray(CLASSES)), picture, 3)
    with pytest.raises(DataError, match=rf"has a class for each pixel.*{needed}"):
        check_labels(task, [picture], [own])  # type: ignore[arg-type]


def test_polygons_of_a_mask_leave_out_what_is_unlabelled(tmp_path: Path) -> None:
    classes = np.full((20, 20), 255, np.uint8)
    classes[5:15, 5:15] = 1
    mask = ClassMask(write(tmp_path / "labels", Image.fromarray(classes)), (1,))
    (line,) = outline_text(mask.read(), ("road", "lane")).decode().splitlines()
    assert line.startswith("1 ")
