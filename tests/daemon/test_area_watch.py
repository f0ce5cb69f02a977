"""Class that covers a zone: the background, where no other class has the least share."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from edgeagent.daemon.area_watch import AreaWatch
from edgeagent.detection.frame_result import Result
from edgeagent.events.picture_class import ClassChange
from edgeagent.imaging.frame import Frame
from edgeagent.settings.schema import Settings
from edgeagent.vision.class_map import ClassMap
from edgeagent.vision.detections import Detections

LABELS = ("spill", "background", "box")


@pytest.mark.parametrize("least", [0.0, 0.3])
def test_the_background_covers_a_zone_in_which_nothing_else_is(least: float) -> None:
    room = {"name": "room", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    settings = Settings.model_validate(
        {
            "device": "d",
            "cameras": [{"name": "door", "source": "0", "zones": [room]}],
            "objects": {"appear_after": "1s"},
            "model": {"score_threshold": least},
        }
    )
    told: list[ClassChange] = []
    watch = AreaWatch(settings, lambda camera, zone, change: told.append(change))
    detector = cast("Any", SimpleNamespace(description=SimpleNamespace(labels=LABELS)))
    boxes, none = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    cells = np.ones((8, 8), np.uint16)
    for second in range(4):
        if second == 2:
            cells = cells.copy()
            cells[:4] = 2
        found = Detections(
            boxes, none, none.astype(np.int32), LABELS, class_map=ClassMap(cells, (8, 8), LABELS)
        )
        frame = Frame(np.zeros((8, 8, 3), np.uint8), 1, second * 1_000_000_000, float(second))
        watch.frame(Result("door", frame, found, detector, 0))
    assert [(one.label, one.before, one.score) for one in told] == [
        ("background", None, 1.0),
        ("box", "background", 0.5),
    ]
