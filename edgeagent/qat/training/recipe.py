"""Recipe: the settings of a training run."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Precision = Literal["float32", "bfloat16", "float16"]
Scales = Literal["learned", "frozen"]
Count = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Recipe:
    """Settings of a run; the same recipe, data and machine give the same weights.

    Values out of range raise pydantic.ValidationError.

    Attributes:
        steps: optimiser steps.
        batch: pictures per step, over all processes and accumulated parts.
        accumulate: number of parts in which a step's pictures are run, to save memory.
        seed: seed of picture choice and augmentation.
        weight_rate: peak learning rate of weights and biases, relative to their channel's absmax.
        warm_up: share of the steps in which the rate rises.
        final_rate: last rate, as a share of the peak.
        scales: scales of the activations: ``learned`` with the weights (LSQ+), or ``frozen`` as calibrated.
        freeze_after: share of the steps after which learned scales are frozen.
        feature_weight: weight of the feature loss.
        supervised_weight: weight of the supervised loss over labelled pictures; 0 ignores labels.
        mosaic: share of the pictures that are 2 x 2 mosaics.
        mosaic_until: share of the steps after which there are no mosaics.
        precision: precision of convolutions; fake-quantization and losses stay in float32.
        average: decay of the exponential moving average of the weights; 0 keeps the last weights.
        check_every: steps between two checks on the held-out pictures.
        patience: checks without improvement after which training stops; 0 never stops early.
    """

    steps: Count = 500
    batch: Count = 16
    accumulate: Count = 1
    seed: Annotated[int, Field(ge=0)] = 0
    weight_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3e-4
    warm_up: Share = 0.1
    final_rate: Share = 0.01
    scales: Scales = "learned"
    freeze_after: Share = 1.0
    feature_weight: Weight = 1.0
    supervised_weight: Weight = 0.0
    mosaic: Share = 0.5
    mosaic_until: Share = 0.9
    precision: Precision = "float32"
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    check_every: Count = 100
    patience: Annotated[int, Field(ge=0)] = 0

    def rate(self, step: int) -> float:
        """Return the factor of the peak rates at a step: linear warm-up, then half a cosine."""
        rising = max(1, int(self.steps * self.warm_up))
        if step < rising:
            return (step + 1) / rising
        done = (step - rising) / max(1, self.steps - rising)
        return self.final_rate + (1 - self.final_rate) * 0.5 * (1 + math.cos(math.pi * done))

    def learns_scales(self, step: int) -> bool:
        """Return whether the scales of the activations are learned at a step."""
        return self.scales == "learned" and step < self.freeze_after * self.steps
