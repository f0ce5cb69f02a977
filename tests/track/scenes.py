"""Scenes: objects that move on straight lines, as a detector would report them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgeagent.track.tracker import Tracker
from edgeagent.track.tracks import Tracks
from edgeagent.vision.detections import Detections

LABELS = ("person", "car", "truck")
PERSON, CAR, TRUCK = range(len(LABELS))

MakeTracker = Callable[..., Tracker]
"""From options to a tracker."""


@dataclass(frozen=True)
class Walker:
    """An object of constant velocity.

    Attributes:
        centre: x, y in pixels at time 0.
        velocity: pixels/s.
        size: width, height in pixels.
        hidden: from, to, in seconds.
        score: of its detections.
        label: its class.
    """

    centre: tuple[float, float]
    velocity: tuple[float, float] = (0.0, 0.0)
    size: tuple[float, float] = (40.0, 100.0)
    hidden: tuple[float, float] = (0.0, 0.0)
    score: float = 0.8
    label: int = 0

    def box(self, time_s: float) -> list[float]:
        """Return its box at a time."""
        x, y = (start + time_s * speed for start, speed in zip(self.centre, self.velocity, strict=True))
        width, height = self.size
        return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]

    def seen(self, time_s: float) -> bool:
        """Return whether it is not hidden."""
        return not self.hidden[0] <= time_s < self.hidden[1]


def detect(
    walkers: Sequence[Walker], time_s: float, rng: np.random.Generator | None = None, noise: float = 0.02
) -> Detections:
    """Return the detections of the objects that are seen, with noise as a share of their size."""
    seen = [walker for walker in walkers if walker.seen(time_s)]
    boxes = np.array([walker.box(time_s) for walker in seen]).reshape(-1, 4)
    if rng is not None:
        boxes += rng.normal(0, noise, boxes.shape) * np.array([walker.size * 2 for walker in seen]).reshape(
            -1, 4
        )
    return make_detections(boxes, [walker.score for walker in seen], [walker.label for walker in seen])


def make_detections(
    boxes: object, scores: object, classes: object, labels: tuple[str, ...] = LABELS
) -> Detections:
    """Return detections from lists."""
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32).reshape(-1),
        np.array(classes, np.int32).reshape(-1),
        labels,
    )


def frame_times(fps: float, seconds: float, rng: np.random.Generator, dropped: float = 0.2) -> list[float]:
    """Return times of frames; some are missing, and intervals vary by a tenth."""
    every = np.arange(0, seconds, 1 / fps) + rng.uniform(0, 0.1 / fps, round(np.ceil(seconds * fps)))
    return [float(time_s) for time_s in every[rng.random(len(every)) >= dropped]]


def follow(
    tracker: Tracker,
    walkers: Sequence[Walker],
    times: Sequence[float],
    rng: np.random.Generator | None = None,
) -> list[Tracks]:
    """Return the tracks of each frame."""
    return [tracker.update(detect(walkers, time_s, rng), time_s) for time_s in times]


def ids_of(tracks: Tracks, walker: Walker, time_s: float) -> list[int]:
    """Return the ids of the tracks that are nearest to an object, at most half its width away."""
    x = (tracks.boxes[:, 0] + tracks.boxes[:, 2]) / 2
    y = (tracks.boxes[:, 1] + tracks.boxes[:, 3]) / 2
    box = walker.box(time_s)
    away = np.hypot(x - (box[0] + box[2]) / 2, y - (box[1] + box[3]) / 2)
    return [int(number) for number in tracks.ids[away < walker.size[0] / 2]]
