"""Recipe: the settings of a training run."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from edgeagent.qat.distillation.loss import BoxLoss

Precision = Literal["float32", "bfloat16", "float16"]
Scales = Literal["learned", "frozen"]
FinalState = Literal["best", "last"]
AVERAGED_SHARE = 0.05
"""Share of the steps over which the average of the weights reaches back, where the recipe has no decay."""
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
        clip: limit of a step's gradient norm, as a multiple of the median of the last steps; 0 for none but
            the fixed limit.
        scales: scales of the activations: ``learned`` with the weights (LSQ+), or ``frozen`` as calibrated.
        freeze_after: share of the steps after which learned scales are frozen.
        scale_rate: peak learning rate of the scales (their logarithms), as a multiple of ``weight_rate``.
        zero_point_rate: peak learning rate of the zero points (in codes), as a multiple of ``weight_rate``.
        scale_warm_up: share of the steps in which the rates of scales and zero points rise; None for
            ``warm_up``.
        box_loss: distillation of boxes with bins: divergence of the ``distribution`` of each side, or
            ``difference`` of the raw bins; boxes without bins are not affected.
        feature_weight: weight of the feature loss.
        supervised_weight: weight of the supervised loss over labelled pictures; 0 ignores labels.
        mosaic: share of the pictures that are 2 x 2 mosaics.
        mosaic_until: share of the steps after which there are no mosaics.
        precision: precision of convolutions; fake-quantization and losses stay in float32.
        average: decay of the exponential moving average of weights and grids; 0 for no average, None for one
            that fits the number of steps.
        check_every: steps between two checks on the held-out pictures.
        final_state: state after the last step: the ``best`` one of all checks on the held-out pictures, or
            the ``last`` (the average, where there is one).
        patience: checks without improvement after which training stops; 0 never stops early.
    """

    steps: Count = 500
    batch: Count = 16
    accumulate: Count = 1
    seed: Annotated[int, Field(ge=0)] = 0
    weight_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3e-4
    warm_up: Share = 0.1
    final_rate: Share = 0.01
    clip: Weight = 3.0
    scales: Scales = "learned"
    freeze_after: Share = 1.0
    scale_rate: Weight = 5.0
    zero_point_rate: Weight = 100.0
    scale_warm_up: Share | None = None
    box_loss: BoxLoss = "distribution"
    feature_weight: Weight = 1.0
    supervised_weight: Weight = 0.0
    mosaic: Share = 0.5
    mosaic_until: Share = 0.9
    precision: Precision = "float32"
    average: Annotated[float, Field(ge=0, lt=1)] | None = None
    check_every: Count = 100
    final_state: FinalState = "best"
    patience: Annotated[int, Field(ge=0)] = 0

    def rate(self, step: int) -> float:
        """Return the factor of the peak rate of the weights at a step: linear warm-up, then half a cosine."""
        return self._factor(step, self.warm_up)

    def grid_rate(self, step: int) -> float:
        """Return the factor of the peak rates of scales and zero points at a step; 0 once frozen."""
        if not self.learns_scales(step):
            return 0.0
        return self._factor(step, self.warm_up if self.scale_warm_up is None else self.scale_warm_up)

    def learns_scales(self, step: int) -> bool:
        """Return whether the scales of the activations are learned at a step."""
        return self.scales == "learned" and step < self.freeze_after * self.steps

    @property
    def decay(self) -> float:
        """Decay of the average of weights and grids; 0 for no average."""
        if self.average is not None:
            return self.average
        return max(0.0, 1 - 1 / (AVERAGED_SHARE * self.steps))

    def _factor(self, step: int, warm_up: float) -> float:
        rising = max(1, int(self.steps * warm_up))
        if step < rising:
            return (step + 1) / rising
        done = (step - rising) / max(1, self.steps - rising)
        return self.final_rate + (1 - self.final_rate) * 0.5 * (1 + math.cos(math.pi * done))
