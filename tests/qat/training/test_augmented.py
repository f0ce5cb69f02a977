"""Training pictures: what a seed and an index give, and boxes that stay on what they were drawn around."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from edgeagent.bundle.manifest import InputSpec, Letterbox
from edgeagent.datasets.labels import Labels
from edgeagent.errors import DataError
from edgeagent.imaging.frame import Image
from edgeagent.imaging.picture import read_picture
from edgeagent.qat.pictures.finding import find_pictures
from edgeagent.qat.pictures.fitted import fit
from edgeagent.qat.training.augmented import MOSAIC_SHARE, Augmentation, Augmented
from edgeagent.qat.training.labelled import collate, find_labels, placed
from edgeagent.vision.preprocessor import fit_picture

TOP_LEFT = InputSpec(width=192, height=160, layout="nhwc", colour="bgr")
CENTRED = TOP_LEFT.model_copy(update={"letterbox": Letterbox(anchor="centre", pad=0)})
STRETCHED = TOP_LEFT.model_copy(update={"letterbox": None})
# class (the channel that is bright), x1, y1, x2, y2 in pixels of the picture; apart, also in a mosaic
RECTANGLES = {
    (300, 200): [(0, 10, 20, 90, 80), (1, 120, 10, 180, 190), (2, 220, 100, 288, 160)],
    (120, 260): [(2, 10, 10, 50, 60), (2, 70, 100, 110, 245), (0, 12, 180, 45, 240)],
    (240, 240): [(1, 100, 100, 140, 150)],
    (200, 100): [],
}


@pytest.fixture
def data(tmp_path: Path) -> tuple[list[Path], dict[Path, Labels]]:
    """Dark pictures with bright rectangles, and the labels of these."""
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    for (width, height), rectangles in RECTANGLES.items():
        picture = np.zeros((height, width, 3), np.uint8)
        lines = []
        for channel, x1, y1, x2, y2 in rectangles:
            picture[y1:y2, x1:x2, channel] = 255
            shares = (x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height
            lines.append(" ".join(map(str, (channel, *shares))))
        cv2.imwrite(str(tmp_path / f"images/{width}x{height}.png"), picture)
        (tmp_path / f"labels/{width}x{height}.txt").write_text("\n".join(lines))
    pictures = find_pictures([tmp_path / "images"])
    return pictures, find_labels(pictures, tmp_path / "labels", 3)


def bright(picture: torch.Tensor) -> list[list[float]]:
    """Rectangles of one bright channel in a picture (3, h, w): class, x1, y1, x2, y2, sorted."""
    pixels = picture.numpy()
    found = []
    for channel in range(3):
        others = np.delete(pixels, channel, 0).max(0)
        mask = ((pixels[channel] > 110) & (others < 60)).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        found += [[channel, x, y, x + width, y + height] for x, y, width, height, _ in stats[1:].tolist()]
    return sorted(found)


def is_mosaic(index: int, seed: int = 0) -> bool:
    return bool(np.random.default_rng((seed, index)).random() < MOSAIC_SHARE)


@pytest.mark.parametrize("spec", [TOP_LEFT, CENTRED, STRETCHED], ids=["top-left", "centred", "stretched"])
def test_boxes_lie_on_what_they_were_drawn_around(
    spec: InputSpec, data: tuple[list[Path], dict[Path, Labels]]
) -> None:
    pictures, labels = data
    items = Augmented(pictures, spec, Augmentation(0, 40), labels)
    assert {is_mosaic(index) for index in range(40)} == {True, False}
    for index in range(40):
        sample = items[index]
        assert sample.labelled
        assert sample.boxes.dtype == torch.float32
        wanted = bright(sample.picture)
        assert len(sample.boxes) == len(wanted)
        for row in sample.boxes.tolist():  # the rectangle nearest to it is it
            same = [other for other in wanted if other[0] == row[0]]
            nearest = min(same, key=lambda other: np.abs(np.subtract(other, row)).max())
            assert np.abs(np.subtract(nearest, row)).max() <= 2
            wanted.remove(nearest)


def test_labels_change_no_picture(data: tuple[list[Path], dict[Path, Labels]]) -> None:
    pictures, labels = data
    choices = Augmentation(3, 20)
    plain, labelled = Augmented(pictures, TOP_LEFT, choices), Augmented(pictures, TOP_LEFT, choices, labels)
    for index in range(20):
        sample = plain[index]
        assert torch.equal(sample.picture, labelled[index].picture)
        assert (sample.labelled, sample.boxes.shape) == (False, (0, 5))


def test_seed_and_index_decide_in_this_order(data: tuple[list[Path], dict[Path, Labels]]) -> None:
    """Mosaic or not, [centre,] picture, flip, ..., contrast, brightness: a run of old can be resumed."""
    pictures, _ = data
    items = Augmented(pictures, TOP_LEFT, Augmentation(7, 20))

    def drawn(random: np.random.Generator, spec: InputSpec) -> Image:
        picture = read_picture(pictures[int(random.integers(len(pictures)))])
        return fit(np.ascontiguousarray(picture[:, ::-1]) if random.random() < 0.5 else picture, spec)

    for index in range(20):
        random = np.random.default_rng((7, index))
        if random.random() < MOSAIC_SHARE:
            x, y = int(192 * random.uniform(0.35, 0.65)), int(160 * random.uniform(0.35, 0.65))
            sizes = [(x, y), (192 - x, y), (x, 160 - y), (192 - x, 160 - y)]
            tiles = [
                drawn(random, TOP_LEFT.model_copy(update={"width": width, "height": height}))
                for width, height in sizes
            ]
            picture = np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])])
        else:
            picture = drawn(random, TOP_LEFT)
        gain, offset = random.uniform(0.8, 1.2), random.uniform(-20, 20)
        changed = cv2.convertScaleAbs(picture, alpha=gain, beta=offset).astype(np.float32)
        assert np.array_equal(items[index].picture.numpy(), changed.transpose(2, 0, 1))


def test_one_unlabelled_tile_leaves_a_mosaic_unlabelled(data: tuple[list[Path], dict[Path, Labels]]) -> None:
    pictures, labels = data
    some = dict(list(labels.items())[:3])
    choices = Augmentation(0, 60)
    whole = Augmented(pictures, TOP_LEFT, choices, labels)
    partly = Augmented(pictures, TOP_LEFT, choices, some)
    seen = set()
    for index in range(60):
        complete, sample = whole[index], partly[index]
        seen.add((is_mosaic(index), sample.labelled))
        assert torch.equal(sample.boxes, complete.boxes if sample.labelled else torch.zeros(0, 5))
    assert seen == {(True, True), (True, False), (False, True), (False, False)}


def place(rows: Sequence[Sequence[float]]) -> list[list[float]]:
    table = np.array(rows, np.float32).reshape(-1, 5)
    labels = Labels(table[:, 0].astype(np.int32), table[:, 1:])
    return [list(map(float, row)) for row in placed(labels, fit_picture((1000, 1000), TOP_LEFT))]


def test_boxes_are_cut_at_the_border_and_dropped_when_little_is_left() -> None:
    assert place([]) == []
    assert place([(1, 0.0, 0.5, 0.4, 0.5)]) == [[1, 0, 40, 32, 120]]  # half of it is outside
    assert place([(1, -0.14, 0.5, 0.4, 0.5)]) == []  # 15 % is left
    assert place([(1, 0.5, 0.5, 0.012, 0.5)]) == []  # 1.9 pixels wide
    assert place([(1, 0.5, 0.5, 0.013, 0.5)]) != []
    assert place([(1, 0.5, 0.5, -0.01, 0.5)]) == []


def test_labels_without_their_folder_or_picture_are_refused(
    tmp_path: Path, data: tuple[list[Path], dict[Path, Labels]]
) -> None:
    pictures, labels = data
    assert len(labels) == len(pictures)
    assert find_labels(pictures * 2, tmp_path / "labels", 3).keys() == labels.keys()
    with pytest.raises(DataError, match="no such folder of labels"):
        find_labels(pictures, tmp_path / "nowhere", 3)
    with pytest.raises(DataError, match="no labels of the training pictures"):
        find_labels(pictures, tmp_path / "images", 3)
    with pytest.raises(DataError, match="class 2 is not one of the 2 labels"):
        find_labels(pictures, tmp_path / "labels", 2)
    other = tmp_path / "more" / pictures[0].name
    with pytest.raises(DataError, match="which labels belong to which picture"):
        find_labels([*pictures, other], tmp_path / "labels", 3)
    (tmp_path / "labels/more").mkdir()
    (tmp_path / "labels/more" / f"{pictures[0].stem}.txt").write_text("")
    with pytest.raises(DataError, match="which labels belong to which picture"):
        find_labels(pictures, tmp_path / "labels", 3)


def test_pictures_without_a_label_file_stay_unlabelled(
    tmp_path: Path, data: tuple[list[Path], dict[Path, Labels]]
) -> None:
    pictures, _ = data
    (tmp_path / "labels" / f"{pictures[1].stem}.txt").unlink()
    assert set(find_labels(pictures, tmp_path / "labels", 3)) == set(pictures) - {pictures[1]}


def test_batch_keeps_boxes_by_picture(data: tuple[list[Path], dict[Path, Labels]]) -> None:
    pictures, labels = data
    items = Augmented(pictures, TOP_LEFT, Augmentation(0, 4), labels)
    batch = collate([items[index] for index in range(4)])
    assert batch.pictures.shape == (4, 3, 160, 192)
    assert batch.labelled == [True] * 4
    for index in range(4):
        assert torch.equal(batch.pictures[index], items[index].picture)
        assert torch.equal(batch.boxes[index], items[index].boxes)


def test_mosaics_end_where_they_are_to_end(data: tuple[list[Path], dict[Path, Labels]]) -> None:
    pictures, _ = data
    items = Augmented(pictures, TOP_LEFT, Augmentation(0, 40, mosaic_items=20))
    with_mosaics = Augmented(pictures, TOP_LEFT, Augmentation(0, 40))
    same = [torch.equal(items[index].picture, with_mosaics[index].picture) for index in range(40)]
    assert all(same[:20])
    assert same[20:] == [not is_mosaic(index) for index in range(20, 40)]
