from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeagent.accuracy.coco_map import GroundTruth, mean_average_precision
from edgeagent.datasets.coco_json import CocoPictures
from edgeagent.datasets.labels import Labels
from edgeagent.errors import DataError
from edgeagent.vision.detections import Detections
from tests.datasets.layouts import LABELS, cell_scene, coco_document, write_coco, write_json
from tests.engines import cell_detector as cells

Document = dict[str, Any]
SCENES = [cell_scene(((2, 1),)), cell_scene(((6, 3),), [(1, 0.0, 0.0, 16.0, 8.0)]), cell_scene(())]
TRAM, PERSON = 1, 15
"""Ids of the categories of Straßenbahn and Person."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_coco(SCENES, tmp_path, "instances.json")


def changed(file: Path, change: Callable[[Document], object]) -> CocoPictures:
    document: Document = json.loads(file.read_text(encoding="utf-8"))
    change(document)
    return CocoPictures.find(write_json(file, document))


def annotation(image: int = 10, category: int = PERSON, **more: Any) -> Document:
    return {"id": 9, "image_id": image, "category_id": category, "bbox": [0, 0, 32, 16], **more}


def pixels(labels: Labels) -> list[list[float]]:
    """Return class, x, y, width, height in pixels."""
    size = np.float32([cells.WIDTH, cells.HEIGHT] * 2)  # type: ignore[arg-type]
    x, y, w, h = (labels.boxes * size).T
    rows: list[list[float]] = np.stack([labels.classes, x - w / 2, y - h / 2, w, h], 1).tolist()
    return rows


def refusal(file: Path, change: Callable[[Document], object]) -> str:
    with pytest.raises(DataError) as caught:
        changed(file, change)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert "\n" not in message
    return message.removeprefix(f"{file}: ")


def test_boxes_are_pixels_and_category_ids_are_sparse(file: Path) -> None:
    data = CocoPictures.find(file)
    assert [path.name for path in data.pictures] == ["0.png", "1.png", "2.png"]
    first, second, third = data.read(LABELS)
    assert pixels(first) == [[0, 16, 8, 8, 8]]
    assert pixels(second) == [[0, 48, 24, 8, 8], [1, 0, 0, 16, 8]]
    assert (third.classes.shape, third.boxes.shape, third.crowds) == ((0,), (0, 4), None)
    assert (str(second.classes.dtype), str(second.boxes.dtype)) == ("int32", "float32")


def test_what_is_told_is_told_once(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = CocoPictures.find(file)
    for _ in range(3):
        data.read(LABELS)
    assert caplog.messages == [
        f"{file}: classes are matched to the labels of the model by name: Straßenbahn 0 -> 1, Person 2 -> 0"
    ]


def test_categories_without_names_count_in_the_order_of_their_ids(file: Path) -> None:
    def unnamed(document: Document) -> None:
        document["categories"] = [{"id": PERSON}, {"id": TRAM}]

    data = changed(file, unnamed)
    assert data.read(LABELS)[1].classes.tolist() == [1, 0]
    with pytest.raises(
        DataError, match=r"categories: 2 categories without names, the model has 1 labels; give"
    ):
        data.read(("person",))


def test_repeated_and_flat_and_outer_boxes(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    def add(document: Document) -> None:
        document["annotations"] += [
            annotation(12, bbox=[1, 2, 3, 4]),
            annotation(12, bbox=[1, 2, 3, 4]),
            annotation(12, TRAM, bbox=[1, 2, 3, 4]),
            annotation(12, bbox=[5, 5, 0, 4]),
            annotation(12, bbox=[5, 5, -3, 4]),
            annotation(12, bbox=[-8, 16, 16, 32]),
            annotation(12, bbox=[63.5, 0, 1, 8]),
            annotation(12, bbox=[64, 0, 5, 5]),
            annotation(12, bbox=None, segmentation=[[8, 8, 24, 8, 16, 16], [8, 8, 8, 24, 10, 10]]),
            annotation(99),
        ]

    labels = changed(file, add).objects[2]
    assert pixels(labels)[:2] == [[2, 1, 2, 3, 4], [0, 1, 2, 3, 4]]
    assert pixels(labels)[2:] == [[2, 0, 16, 8, 16], [2, 63.5, 0, 0.5, 8], [2, 8, 8, 16, 16]]
    assert sorted(message.removeprefix(f"{file}: ") for message in caplog.messages) == [
        "1 annotations are left out, as they belong to no picture of the file",
        "1 boxes outside the picture are left out",
        "1 boxes reach beyond the picture and are clipped",
        "1 objects have polygons, of which a detector takes the box around",
        "1 repeated annotations are counted once",
        "2 boxes without an area are left out",
    ]


def test_crowds_are_apart(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = changed(file, lambda document: document["annotations"].append(annotation(iscrowd=1)))
    labels = data.read(LABELS)[0]
    assert pixels(labels) == [[0, 16, 8, 8, 8]]
    assert labels.crowds is not None
    assert pixels(labels.crowds) == [[0, 0, 0, 32, 16]]
    assert f"{file}: 1 annotations are of crowds: detections there count neither as right" in caplog.text


def test_detections_in_a_crowd_are_not_wrong() -> None:
    """One object is found, with a lower score than three detections in a crowd of its class."""
    object_, crowd = np.float32([[0, 0, 10, 10]]), np.float32([[20, 20, 60, 60]])  # type: ignore[arg-type]
    one = np.zeros(1, np.int32)
    boxes = np.float32([[0, 0, 10, 10], [20, 20, 30, 30], [30, 30, 40, 40], [40, 40, 50, 50]])  # type: ignore[arg-type]
    found = Detections(boxes, np.float32([0.3, 0.9, 0.8, 0.7]), np.zeros(4, np.int32))  # type: ignore[arg-type]
    with_crowd = GroundTruth((64, 64), object_, one, GroundTruth((64, 64), crowd, one))
    assert mean_average_precision([with_crowd], [found], ["a"]).map50 == pytest.approx(1)
    assert mean_average_precision([GroundTruth((64, 64), object_, one)], [found], ["a"]).map50 < 0.3


def test_missing_pictures_are_counted_and_listed(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    (file.parent / "1.png").unlink()

    def add(document: Document) -> None:
        document["images"] += [
            {"id": n, "file_name": f"{n}.jpg", "width": 1, "height": 1} for n in range(3, 10)
        ]

    data = changed(file, add)
    assert [path.name for path in data.pictures] == ["0.png", "2.png"]
    assert [len(one.classes) for one in data.read(LABELS)] == [1, 0]
    assert caplog.messages[0] == (
        f"{file}: 8 of 10 pictures are not on the disk and are left out: 1.png, 3.jpg, 4.jpg, 5.jpg, 6.jpg "
        "and 3 more"
    )


def test_no_picture_at_all(file: Path, tmp_path: Path) -> None:
    for path in tmp_path.glob("*.png"):
        path.unlink()
    with pytest.raises(DataError) as caught:
        CocoPictures.find(file)
    message = str(caught.value)
    assert message.startswith(
        f"{file}: none of its 3 pictures is on the disk; 0.png was looked for in {tmp_path}, "
    )
    assert message.endswith("; name their folder with --dataset-images")
    with pytest.raises(DataError, match=r"absent: no such folder of pictures"):
        CocoPictures.find(file, tmp_path / "absent")


def test_a_folder_of_pictures_is_given(file: Path, tmp_path: Path) -> None:
    inner = tmp_path / "elsewhere" / "sub"
    inner.mkdir(parents=True)
    for path in tmp_path.glob("*.png"):
        path.rename(inner / path.name)

    def rename(document: Document) -> None:
        for image in document["images"]:
            image["file_name"] = f"sub\\{image['file_name']}"

    with pytest.raises(DataError):
        changed(file, rename)
    assert len(CocoPictures.find(file, tmp_path / "elsewhere")) == 3


def test_a_picture_of_another_size(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    (file.parent / "0.png").write_bytes(cells.png(np.zeros((64, 128, 3), np.uint8)))
    assert pixels(CocoPictures.find(file).objects[0]) == [[2, 16, 8, 8, 8]]
    assert f"{file}: 1 pictures have another size than the file states" in caplog.text
    (file.parent / "0.png").write_bytes(cells.png(np.zeros((64, 100, 3), np.uint8)))
    with pytest.raises(DataError, match=rf"0\.png: has 100 x 64 pixels, {file} states 64 x 32: boxes cannot"):
        CocoPictures.find(file)


def test_a_picture_that_is_turned_by_its_orientation(file: Path) -> None:
    """The boxes of a file that states the size before the EXIF orientation have no place."""
    jpeg = cv2.imencode(".jpg", np.zeros((32, 64, 3), np.uint8))[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    (file.parent / "0.jpg").write_bytes(turned)

    def rename(size: tuple[int, int]) -> Callable[[Document], None]:
        def change(document: Document) -> None:
            document["images"] = [{"id": 10, "file_name": "0.jpg", "width": size[0], "height": size[1]}]

        return change

    with pytest.raises(DataError, match=r"0\.jpg: is displayed with 32 x 64 pixels, .* its EXIF orientation"):
        changed(file, rename((64, 32)))
    assert len(changed(file, rename((32, 64)))) == 1


def test_sizes_that_are_not_stated_are_read_from_the_pictures(file: Path) -> None:
    def remove(document: Document) -> None:
        for image in document["images"]:
            del image["width"], image["height"]

    assert pixels(changed(file, remove).read(LABELS)[0]) == [[0, 16, 8, 8, 8]]
    (file.parent / "2.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"2\.png: its size cannot be read, and .* does not state it"):
        CocoPictures.find(file)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d.pop("images"), "`images` is missing; expected a COCO instances file"),
        (lambda d: d.update(annotations={}), "`annotations` is no list; expected a COCO instances file"),
        (lambda d: d.update(categories=[]), "`categories` is empty; expected"),
        (lambda d: d.update(images=[]), "`images` is empty; expected"),
        (lambda d: d["images"].append(3), "images[3]: expected an object with keys, got 3"),
        (lambda d: d["images"][0].update(id=None), "images[0]: `id`: expected a number or text; got None"),
        (lambda d: d["images"][0].update(id=10), "images[2] (id 10): another picture has the same id"),
        (
            lambda d: d["images"][0].pop("file_name"),
            "images[0] (id 12): `file_name`: expected the name of a picture; it is missing",
        ),
        (
            lambda d: d["images"][0].update(file_name="1.png"),
            "images[1] (id 11): '1.png' is listed also with the",
        ),
        (
            lambda d: d["images"][0].update(width=0),
            "images[0] (id 12): `width`: expected a size in pixels above",
        ),
        (
            lambda d: d["images"][0].update(height="a"),
            "images[0] (id 12): `height`: expected a size in pixels",
        ),
        (lambda d: d["categories"][1].update(id=1), "categories[2] (id 1): another category has the same id"),
        (
            lambda d: d["categories"][1].update(id="x"),
            "categories[1] (id 'x'): `id`: expected a whole number",
        ),
        (lambda d: d["categories"][1].pop("name"), "categories: the category with the id 8 has no `name`"),
        (
            lambda d: d["annotations"][0].update(bbox=[1, 2, 3]),
            "annotations[0] (id 0): `bbox`: expected 4 numbers x, y, width, height in pixels; got [1, 2, 3]",
        ),
        (lambda d: d["annotations"][0].update(bbox=[1, 2, 3, float("nan")]), "annotations[0] (id 0): `bbox`"),
        (lambda d: d["annotations"][0].update(bbox=[1, 2, 3, 10**400]), "annotations[0] (id 0): `bbox`"),
        (
            lambda d: d["annotations"][0].pop("bbox"),
            "annotations[0] (id 0): `bbox`: expected x, y, width, height",
        ),
        (
            lambda d: d["annotations"][0].update(bbox=None, segmentation={"counts": "x"}),
            "annotations[0] (id 0)",
        ),
        (
            lambda d: d["annotations"][0].update(bbox=None, segmentation=[["a"]]),
            "annotations[0] (id 0): `bbox`",
        ),
        (
            lambda d: d["annotations"][0].update(category_id=2),
            "annotations[0] (id 0): `category_id`: expected the id of an entry of `categories`; got 2",
        ),
        (
            lambda d: d["annotations"][0].update(image_id=[]),
            "annotations[0] (id 0): `image_id`: expected the id",
        ),
        (
            lambda d: d["annotations"][0].update(iscrowd="no"),
            "annotations[0] (id 0): `iscrowd`: expected 0 or 1",
        ),
    ],
)
def test_an_entry_that_cannot_be_used(
    file: Path, change: Callable[[Document], object], sentence: str
) -> None:
    assert refusal(file, change).startswith(sentence)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[]", "a list, such as results of a detector; expected a COCO instances file"),
        (b"3", "expected a COCO instances file"),
        (b"{\n  nonsense", "line 2: not JSON (Expecting property name enclosed in double quotes)"),
        (b"\xff\xfe", "not UTF-8 text; save it as UTF-8"),
        (b"[" * 200_000, "not JSON that can be read ("),
    ],
)
def test_a_file_of_another_kind(file: Path, content: bytes, sentence: str) -> None:
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        CocoPictures.find(file)
    assert str(caught.value).startswith(f"{file}: {sentence}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 20) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_a_value_is_read_or_refused(file: Path, data: st.DataObject) -> None:
    document = coco_document(SCENES)
    place: Any = document
    key = data.draw(st.sampled_from([*document]))
    while isinstance(place[key], (dict, list)) and place[key] and data.draw(st.integers(0, 4)):
        place = place[key]
        key = data.draw(st.sampled_from([*place] if isinstance(place, dict) else range(len(place))))
    place[key] = data.draw(JSON)
    write_json(file, document)
    try:
        labels = CocoPictures.find(file).read(LABELS)
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert len(labels) <= 3
        assert all(((one.boxes >= 0) & (one.boxes <= 1)).all() for one in labels)


@pytest.mark.parametrize("name", ["a" * 5000 + ".png", "\ud800.png", "\x1b[2J.png", "."])
def test_names_that_no_file_can_have(file: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    data = changed(file, lambda document: document["images"][0].update(file_name=name))
    assert len(data) == 2
    assert "1 of 3 pictures are not on the disk" in caplog.text
    assert "\x1b" not in caplog.text


def test_a_byte_order_mark_is_read(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(coco_document(SCENES)).encode())
    assert len(CocoPictures.find(file)) == 3


def test_the_hash_is_that_of_pictures_and_file(file: Path) -> None:
    first = CocoPictures.find(file).data_hash()
    assert len(first) == 64
    assert CocoPictures.find(file).data_hash() == first
    changed(file, lambda document: document["annotations"].pop())
    second = CocoPictures.find(file).data_hash()
    (file.parent / "0.png").write_bytes(cells.png(cells.picture(())))
    assert len({first, second, CocoPictures.find(file).data_hash()}) == 3
