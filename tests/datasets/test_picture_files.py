from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeagent.datasets.picture_files import check_pictures
from edgeagent.errors import DataError


def test_damaged_pictures_are_named_before_work_begins(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.jpg" for number in range(5)]
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    content = cv2.imencode(".jpg", picture)[1].tobytes()
    for path in paths:
        path.write_bytes(content)
    seen: list[int] = []
    check_pictures([*paths, *paths], seen.append)
    assert seen == [1, 2, 3, 4, 5]
    for path in paths[2:4]:
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"2\.jpg is truncated.* \(and 1 more pictures\)$"):
        check_pictures(paths)
