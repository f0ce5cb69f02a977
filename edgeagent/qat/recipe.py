"""The settings of a training run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Precision = Literal["float32", "bfloat16", "float16"]
Scales = Literal["learned", "frozen"]


@dataclass(frozen=True)
class Recipe:
    """Settings of a run; two runs with the same recipe, data and machine give the same weights.

    Attributes:
        steps: optimiser steps.
        batch: pictures a step, over all processes and accumulated parts.
        accumulate: parts that a step's pictures are run in, to save memory.
        seed: of picture choice and augmentation.
        weight_rate: peak learning rate of weights and biases, as shares of their channel's absmax.
        warm_up: share of the steps in which the rate rises.
        final_rate: last rate, as a share of the peak.
        scales: of the activations: ``learned`` with the weights (LSQ+), or ``frozen`` as calibrated.
        freeze_after: share of the steps after which learned scales stay as they are.
        feature_weight: of the distance between the features of student and teacher.
        supervised_weight: of the supervised loss over labelled pictures; 0 leaves labels unused.
        mosaic: share of the pictures that are 2 x 2 mosaics.
        mosaic_until: share of the steps after which there are none.
        precision: of convolutions; fake-quantization and losses stay in float32.
        average: decay of the exponential moving average of the weights that is kept; 0 keeps the last.
        check_every: steps between two looks at the held-out pictures.
        patience: looks without a better one after which training stops; 0 never stops early.
    """

    steps: int = 500
    batch: int = 16
    accumulate: int = 1
    seed: int = 0
    weight_rate: float = 3e-4
    warm_up: float = 0.1
    final_rate: float = 0.01
    scales: Scales = "learned"
    freeze_after: float = 1.0
    feature_weight: float = 0.0
    supervised_weight: float = 0.0
    mosaic: float = 0.5
    mosaic_until: float = 0.9
    precision: Precision = "float32"
    average: float = 0.0
    check_every: int = 100
    patience: int = 0

    def rate(self, step: int) -> float:
        """Return the factor on the peak rates at a step: linear warm-up, then half a cosine."""
        rising = max(1, int(self.steps * self.warm_up))
        if step < rising:
            return (step + 1) / rising
        done = (step - rising) / max(1, self.steps - rising)
        return self.final_rate + (1 - self.final_rate) * 0.5 * (1 + math.cos(math.pi * done))

    def learns_scales(self, step: int) -> bool:
        """Return whether the scales of the activations move at a step."""
        return self.scales == "learned" and step < self.freeze_after * self.steps
