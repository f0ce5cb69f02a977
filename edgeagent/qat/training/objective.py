"""Objective and pictures of a training."""

from __future__ import annotations

from dataclasses import dataclass

from torch.utils.data import Dataset

from edgeagent.qat.distillation.held_out import HeldOut
from edgeagent.qat.network.network import Mode, Network
from edgeagent.qat.training.labelled import TrainingSample
from edgeagent.qat.training.supervised import Supervision


@dataclass(frozen=True)
class TrainingPictures:
    """Pictures of a training.

    Attributes:
        samples: ``recipe.steps * recipe.batch`` samples to train on.
        held_out: pictures for the checks every ``recipe.check_every`` steps; None for no checks.
    """

    samples: Dataset[TrainingSample]
    held_out: HeldOut | None = None


@dataclass(frozen=True)
class Objective:
    """Target of a training.

    Attributes:
        teacher: float network with the same heads, on the student's device.
        mode: mode of the student: ``quantize``, or ``float`` to train without rounding.
        supervision: loss over labelled pictures, added with ``recipe.supervised_weight``; None ignores
            labels.
    """

    teacher: Network
    mode: Mode = "quantize"
    supervision: Supervision | None = None
