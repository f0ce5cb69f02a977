"""Drawn roads of ``benchmarks/lanes.py``: masks and truths agree with the geometry, and with one another."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgeagent.vision.class_map import ClassMap

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SIZE = (180, 320)
ROW = 0.7


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("lane_scenes")


@pytest.fixture
def material(drawing: Any, tmp_path: Path) -> Any:
    random = np.random.default_rng(0)
    roads = tmp_path / "roads"
    for folder in (tmp_path / "photos", roads / "train" / "images", roads / "train" / "labels"):
        folder.mkdir(parents=True)
    for number in range(4):
        picture = cv2.GaussianBlur(random.integers(0, 255, (120, 160, 3), np.uint8), (0, 0), 3)
        cv2.imwrite(str(tmp_path / "photos" / f"{number}.png"), picture)
        cv2.imwrite(str(roads / "train" / "images" / f"{number}.png"), picture)
        (roads / "train" / "labels" / f"{number}.txt").write_text("1 0.5 0.5 0.4 0.5\n", encoding="utf-8")
    return sys.modules["lane_material"].find_material(tmp_path / "photos", roads, chosen=True)


def roads(drawing: Any, count: int) -> list[Any]:
    return [drawing.random_road(np.random.default_rng(number), SIZE) for number in range(count)]


def test_the_lane_of_the_rays_lies_between_its_projected_lines(drawing: Any) -> None:
    checked = 0
    for road in roads(drawing, 40):
        lane, ahead = road.own_lane(road.ground()), np.array([4.0, 8.0, 15.0], np.float32)
        left, right = road.lane
        for share, wanted in ((0.06, True), (0.5, True), (0.94, True), (-0.06, False), (1.06, False)):
            rows, columns = road.project(left + share * (right - left), ahead)
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
                if 0 <= row < SIZE[0] and 0 <= column < SIZE[1]:
                    assert lane[int(row), int(column)] == wanted
                    checked += 1
    assert checked > 200


def test_the_true_centre_is_that_of_the_mask(drawing: Any) -> None:
    checked = 0
    for road in roads(drawing, 60):
        lane, truth = road.own_lane(road.ground()), road.centre(ROW)
        if truth is None or lane[round(0.6 * SIZE[0]) :, [0, -1]].any():
            continue  # the picture's edge cuts the lane
        found = ClassMap(lane.astype(np.uint16), SIZE, ("background", "lane")).centre_line("lane", ROW)
        assert found is not None
        assert found.offset == pytest.approx(truth[0], abs=0.015)
        assert found.heading == pytest.approx(truth[1], abs=5)
        checked += 1
    assert checked > 10


def test_a_scene_depends_on_its_number_only(drawing: Any, material: Any) -> None:
    first, again, other = (drawing.draw_scene(1, number, material, SIZE) for number in (3, 3, 4))
    assert (first.picture == again.picture).all()
    assert (first.mask == again.mask).all()
    assert (first.picture != other.picture).any()


def test_masks_are_parts_of_the_lane_and_absent_without_a_road(drawing: Any, material: Any) -> None:
    scenes = [drawing.draw_scene(1, number, material, SIZE) for number in range(20)]
    for scene in scenes:
        assert scene.picture.shape == (*SIZE, 3)
        assert set(np.unique(scene.mask)) <= {0, 1}
        if scene.road is None:
            assert not scene.mask.any()
        else:
            assert not scene.mask[~scene.road.own_lane(scene.road.ground())].any()
    assert {scene.road is None for scene in scenes} == {True, False}
    assert sum(scene.mask.any() for scene in scenes) > 12
