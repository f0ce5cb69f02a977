from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeagent.datasets.picture_files import check_pictures, list_pictures
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


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def vanish(folder: Path, pattern: str) -> Iterator[Path]:
        raise FileNotFoundError(2, "No such file or directory", f"{folder}/b")
        yield folder

    monkeypatch.setattr(Path, "rglob", vanish)
    with pytest.raises(DataError, match=r"/b: cannot be listed \(No such file or directory\)"):
        list_pictures(tmp_path, recursive=True)
    with pytest.raises(DataError, match="absent: cannot be listed"):
        list_pictures(tmp_path / "absent")
