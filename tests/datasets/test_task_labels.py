"""Labels of one task are refused for another, before any work."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeagent.bundle.task import TASKS, Task
from edgeagent.datasets.labels import Labels, labels_of, masked, whole_picture
from edgeagent.datasets.task_labels import check_labels
from edgeagent.errors import DataError

PICTURE = Path("a.png")
BOX = [0, 0.5, 0.5, 0.2, 0.2]
POLYGON = [0.1, 0.1, 0.3, 0.1, 0.3, 0.3]
KINDS: dict[str, Labels] = {
    "boxes": labels_of([BOX]),
    "polygons": labels_of([BOX], outlines=[POLYGON]),
    "some polygons": labels_of([BOX, BOX], outlines=[POLYGON, []]),
    "class": whole_picture(0),
    "nothing": labels_of([]),
}
FITTING: dict[Task, set[str]] = {
    "detection": {"boxes", "polygons", "some polygons", "nothing"},
    "classification": {"class"},
    "segmentation": {"polygons", "nothing", "mask"},
    "instances": {"polygons", "nothing"},
}


@pytest.mark.parametrize("kind", [*KINDS, "mask"])
@pytest.mark.parametrize("task", TASKS)
def test_labels_fit_their_tasks(task: Task, kind: str, tmp_path: Path) -> None:
    labels = KINDS.get(kind)
    if labels is None:
        for name in ("picture", "mask"):
            cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros((8, 8), np.uint8))
        labels = masked(tmp_path / "mask.png", tmp_path / "picture.png", 1)
    if kind in FITTING[task]:
        check_labels(task, [PICTURE], [labels])
        return
    with pytest.raises(DataError, match=r"and the model .*; give "):
        check_labels(task, [PICTURE], [labels])
