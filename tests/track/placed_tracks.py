"""Frames with tracks that tests make by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from edgeagent.track.tracked_frame import TrackedFrame
from edgeagent.track.tracks import Tracks

WIDTH, HEIGHT = 1000, 500
LABELS = ("person", "car")
NOON = datetime(2026, 11, 29, 12, 0)  # a Sunday

Placed = tuple[int, float, float]
"""Identity, and the middle of the lower side in shares of the picture."""


def tracked(
    time_s: float,
    placed: Sequence[Placed] = (),
    *,
    ended: Sequence[int] = (),
    label: int = 0,
    score: float = 0.9,
    size: tuple[float, float] = (0.04, 0.2),
    local: datetime = NOON,
) -> TrackedFrame:
    """Return a frame whose objects stand at places."""
    wide, high = size[0] * WIDTH, size[1] * HEIGHT
    boxes = [
        (x * WIDTH - wide / 2, y * HEIGHT - high, x * WIDTH + wide / 2, y * HEIGHT) for _, x, y in placed
    ]
    count = len(placed)
    tracks = Tracks(
        ids=np.array([one[0] for one in placed], np.int64),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        scores=np.full(count, score, np.float32),
        classes=np.full(count, label, np.int32),
        source=np.arange(count, dtype=np.int32),
        hits=np.ones(count, np.int32),
        ages=np.zeros(count, np.float32),
        labels=LABELS,
        ended=tuple(ended),
    )
    return TrackedFrame(tracks, WIDTH, HEIGHT, time_s, local)
