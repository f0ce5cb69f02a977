"""Privacy regions: nothing fine is left in them, and all is left outside."""

from __future__ import annotations

import numpy as np

from edgeagent.imaging.privacy import BLOCKS, hide_regions

LEFT = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]


def test_a_region_has_no_detail_left_and_the_rest_is_untouched() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    before = picture.copy()
    hide_regions(picture, [LEFT])
    assert np.array_equal(picture[:, 162:], before[:, 162:])
    hidden = picture[:, :159].astype(int)
    assert len(np.unique(hidden.reshape(-1, 3), axis=0)) <= (BLOCKS + 2) ** 2
    assert np.abs(np.diff(hidden, axis=0)).mean() < 2  # noise has more than 80


def test_small_pictures_and_no_regions_are_no_trouble() -> None:
    picture = np.full((3, 5, 3), 7, np.uint8)
    hide_regions(picture, [LEFT])
    hide_regions(picture, [])
    assert (picture == 7).all()
