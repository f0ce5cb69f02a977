"""Regions and tiles of a camera."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.regions import TileSettings, camera_regions, tile_regions


def camera(**keys: object) -> CameraSettings:
    return CameraSettings.model_validate({"name": "yard", "source": "0", **keys})


def test_tiles_cover_the_picture_and_overlap() -> None:
    left, right = tile_regions(TileSettings())
    assert left == pytest.approx((0, 0, 0.5556, 1), abs=1e-4)
    assert right == pytest.approx((0.4444, 0, 1, 1), abs=1e-4)
    assert left[2] - right[0] == pytest.approx(0.2 * (left[2] - left[0]))
    grid = tile_regions(TileSettings(columns=3, rows=2, overlap=0.0))
    assert len(grid) == 6
    assert grid[0] == pytest.approx((0, 0, 1 / 3, 0.5))
    assert grid[-1] == pytest.approx((2 / 3, 0.5, 1, 1))


def test_regions_come_before_tiles() -> None:
    found = camera(regions=[[0.3, 0.2, 0.7, 0.5]], tiles={"columns": 2})
    assert camera_regions(found)[0] == (0.3, 0.2, 0.7, 0.5)
    assert len(camera_regions(found)) == 3
    assert camera_regions(camera()) == ()


@pytest.mark.parametrize(
    "region", [[0.7, 0.2, 0.3, 0.5], [0.3, 0.2, 0.31, 0.5], [0.3, 0.2, 1.2, 0.5], [0.3, 0.2, 0.7], ["a"] * 4]
)
def test_a_region_that_is_none_is_refused(region: list[object]) -> None:
    with pytest.raises(ValidationError, match="regions"):
        camera(regions=[region])


def test_too_many_regions_are_refused() -> None:
    with pytest.raises(ValidationError, match="at most 16"):
        camera(regions=[[0.0, 0.0, 0.5, 0.5]] * 17)
