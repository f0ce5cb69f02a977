"""The trackers follow a fixed sequence as those of the package ``trackers`` do."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from edgeagent.track.choice import TrackerName, create_tracker
from tests.track.package_tracks import FILE
from tests.track.scenes import PERSON, make_detections


@pytest.fixture(scope="module")
def sequence() -> Any:
    return json.loads(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["bytetrack", "ocsort"])
def test_ids_agree_with_those_of_the_package(sequence: Any, name: TrackerName) -> None:
    """Detections with one id there have one id here.

    Some have an id here only: the OC-SORT of the package gives none for a frame after each missing one.
    """
    tracker = create_tracker(name)
    together: Counter[tuple[int, int]] = Counter()
    only_there = 0
    for number, frame in enumerate(sequence["frames"]):
        rows = np.array(frame["rows"], np.float32)
        tracks = tracker.update(
            make_detections(rows[:, :4], rows[:, 4], [PERSON] * len(rows)), number / sequence["fps"]
        )
        own = dict(zip(tracks.source.tolist(), tracks.ids.tolist(), strict=True))
        there = {row: number for row, number in enumerate(frame[name]) if number >= 0}
        together.update((own[row], there[row]) for row in own.keys() & there.keys())
        only_there += len(there.keys() - own.keys())
    assert len(together) == len({own for own, _ in together}) == len({there for _, there in together})
    assert only_there < 0.02 * together.total()
