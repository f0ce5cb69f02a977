"""Days in front of a camera: light, weather, traffic that follows the hour, things that stay a while."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from edgeagent.accuracy.drift import DAY, SLOT, Drift
from edgeagent.imaging.frame import Image
from edgeagent.vision.detections import Detections

LABELS = ("person", "car", "dog")
SAMPLES = DAY * SLOT
STAYS = 6
"""Samples for which the same things are in front of the camera."""


@dataclass
class Scene:
    """What is in front of a camera.

    Attributes:
        light: factor of the brightness: dirt on the lens takes some.
        weather: how much of it differs from day to day.
        area: logarithm of the share of the frame that an object takes: a camera that is moved changes it.
        surety: added to the scores.
        cars: share of cars at noon.
        found: share of the things that the model still finds.
    """

    light: float = 1.0
    weather: float = 0.15
    area: float = -4.0
    surety: float = 0.0
    cars: float = 0.5
    found: float = 1.0
    chance: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def day(self, weather: float | None = None) -> Iterator[tuple[Detections, Image]]:
        """Return the samples of one day from midnight; ``weather`` overrides the light of this day."""
        clouds = weather if weather is not None else 1 - self.weather * self.chance.random()
        found = Detections.empty()
        for sample in range(SAMPLES):
            sun = max(0.0, np.sin(2 * np.pi * (sample / SAMPLES - 0.25)))
            if sample % STAYS == 0:
                found = self._things(float(sun))
            level = self.light * (25 + 170 * clouds * sun) + self.chance.normal(0, 3)
            yield found, np.full((1, 1, 3), np.clip(level, 0, 255), np.uint8)

    def _things(self, sun: float) -> Detections:
        chance = self.chance
        count = chance.poisson(self.found * (0.05 + 2 * sun))
        shares = np.exp(chance.normal(self.area, 0.7, count))
        side = np.sqrt(np.clip(shares, 0, 1))  # of a picture of one pixel
        boxes = np.stack([np.zeros(count), np.zeros(count), side, side], axis=1).astype(np.float32)
        scores = np.clip(chance.beta(5, 2, count) + self.surety - 0.1 * (1 - sun), 0.3, 1).astype(np.float32)
        cars = self.cars * (0.5 + 0.5 * sun)
        classes = chance.choice(3, count, p=[0.95 - cars * 0.9, cars * 0.9, 0.05]).astype(np.int32)
        return Detections(boxes, scores, classes)


def watch(drift: Drift, scene: Scene, days: float, weather: float | None = None) -> list[int]:
    """Show a camera some days; return at which sample of them it has become or ceased to be drifted."""
    turned, before, number = [], bool(drift.drifted), 0
    left = round(days * SAMPLES)
    while left > 0:
        for detections, image in scene.day(weather):
            drift.record(detections, image)
            number += 1
            drift.compare_new_slots()
            if bool(drift.drifted) != before:
                before = not before
                turned.append(number)
            left -= 1
            if left == 0:
                break
    return turned
