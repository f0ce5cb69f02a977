"""The training loop: a fake-quantized student follows its float teacher, with checkpoints.

Where pictures are labelled, a supervised loss can be added to the teacher's.

AdamW with a one-cycle rate: the weights at :attr:`Recipe.weight_rate`, the scales and zero points faster, as
they are few and start from calibration. A checkpoint holds all that the next step depends on, so that
a resumed run continues as if it had not stopped.
"""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from edgeagent.errors import DataError
from edgeagent.qat.distillation import distillation_loss
from edgeagent.qat.labelled import Batch, Sample, collate
from edgeagent.qat.network import Network
from edgeagent.qat.supervised import supervised_loss, yolox_scales
from edgeagent.qat.work_file import write_whole

SCALE_RATE = 5.0  # times the weight rate: 1e-3 on the logarithm of the scale
ZERO_POINT_RATE = 100.0  # times the weight rate: 0.02 codes a step
GRADIENT_NORM = 10.0


@dataclass(frozen=True)
class Recipe:
    """Settings of a run; two runs with the same recipe, data and machine give the same weights.

    Attributes:
        steps: optimiser steps.
        batch: pictures a step.
        seed: of picture choice and augmentation.
        weight_rate: peak learning rate of weights and biases, as shares of their channel's absmax.
        warm_up: share of the steps in which the rate rises.
        final_rate: last rate, as a share of the peak.
        supervised_weight: of the supervised loss over labelled pictures; 0 leaves labels unused.
    """

    steps: int = 500
    batch: int = 16
    seed: int = 0
    weight_rate: float = 2e-4
    warm_up: float = 0.1
    final_rate: float = 0.01
    supervised_weight: float = 0.0

    def rate(self, step: int) -> float:
        """Return the factor on the peak rates at a step: linear warm-up, then half a cosine."""
        rising = max(1, int(self.steps * self.warm_up))
        if step < rising:
            return (step + 1) / rising
        done = (step - rising) / max(1, self.steps - rising)
        return self.final_rate + (1 - self.final_rate) * 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True)
class Progress:
    """Where a run stands, after a step; ``loss`` is None where it is taken up again."""

    step: int
    steps: int
    loss: float | None


class Trainer:
    """Trains a calibrated network.

    Args:
        network: calibrated; trained in place.
        pictures: ``recipe.steps * recipe.batch`` samples.
        recipe: settings.
        checkpoint: file to write every ``checkpoint_every`` steps and at the end.

    Raises:
        DataError: the recipe asks for the supervised loss, and the model is not a YOLOX.
    """

    def __init__(
        self,
        network: Network,
        pictures: Dataset[Sample],
        recipe: Recipe,
        checkpoint: Path,
        checkpoint_every: int = 50,
    ) -> None:
        self._network, self._pictures, self._recipe = network, pictures, recipe
        self._checkpoint, self._checkpoint_every = checkpoint, checkpoint_every
        self._teacher = copy.deepcopy(network)
        self._teacher.set_mode("float")
        self._teacher.requires_grad_(False)
        self._network.set_mode("quantize")
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._optimizer = torch.optim.AdamW(_groups(network, recipe.weight_rate), weight_decay=0.0)
        self._scales = yolox_scales(network.graph) if recipe.supervised_weight else ()
        self._step = 0

    def resume(self) -> int:
        """Load the checkpoint and return the step it was taken at.

        Raises:
            DataError: there is none, it is damaged, or it belongs to another recipe or model.
        """
        try:
            state = torch.load(self._checkpoint, weights_only=True)
            if asdict(Recipe()) | state["recipe"] != asdict(self._recipe):  # older ones lack newer settings
                raise DataError(
                    f"{self._checkpoint}: was made with {state['recipe']}, this run asks for "
                    f"{asdict(self._recipe)}; use the same settings or start without --resume"
                )
            self._network.load_state_dict(state["network"])
            self._teacher.load_state_dict(state["teacher"])
            self._optimizer.load_state_dict(state["optimizer"])
            self._step = state["step"]
        except FileNotFoundError:
            raise DataError(
                f"{self._checkpoint}: no checkpoint to resume from; start without --resume"
            ) from None
        except DataError:
            raise
        except Exception as error:  # a damaged file surfaces in many ways
            raise DataError(f"{self._checkpoint}: not a checkpoint of this model ({error})") from error
        return self._step

    def run(self, report: Callable[[Progress], None]) -> None:
        """Train to the last step, reporting each."""
        for batch in self._batches():
            factor = self._recipe.rate(self._step)
            for group in self._optimizer.param_groups:
                group["lr"] = group["peak"] * factor
            loss = self._loss(batch)
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self._network.parameters(), GRADIENT_NORM)
            self._optimizer.step()
            self._step += 1
            if self._step % self._checkpoint_every == 0 or self._step == self._recipe.steps:
                self.save()
            report(Progress(self._step, self._recipe.steps, float(loss.detach())))

    def _loss(self, batch: Batch) -> Tensor:
        with torch.no_grad():
            wanted = self._teacher(batch.pictures)
        got = self._network(batch.pictures)
        loss = distillation_loss(self._network.graph.heads, got, wanted)
        labelled = [position for position, known in enumerate(batch.labelled) if known]
        if self._recipe.supervised_weight and labelled:
            targets = [batch.boxes[position] for position in labelled]
            supervised = supervised_loss(self._scales, [head[labelled] for head in got], targets)
            loss = loss + self._recipe.supervised_weight * supervised
        return loss

    def save(self) -> None:
        """Write the checkpoint.

        Raises:
            EdgeagentError: it cannot be written; an older one is as it was.
        """
        state = {
            "recipe": asdict(self._recipe),
            "network": self._network.state_dict(),
            "teacher": self._teacher.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "step": self._step,
        }
        content = io.BytesIO()
        torch.save(state, content)
        write_whole(self._checkpoint, content.getvalue())

    def _batches(self) -> Iterator[Batch]:
        size = self._recipe.batch
        rest = range(self._step * size, self._recipe.steps * size)
        loader: DataLoader[Sample] = DataLoader(
            self._pictures,
            batch_size=size,
            sampler=rest,
            num_workers=1,
            prefetch_factor=4,
            collate_fn=collate,
        )
        for batch in loader:
            yield batch._replace(pictures=batch.pictures.to(memory_format=torch.channels_last))


def _groups(network: Network, rate: float) -> Sequence[dict[str, object]]:
    """Parameter groups with their peak rates."""
    weights = list(network.convolutions.parameters())
    scales = [p for name, p in network.grids.named_parameters() if name.endswith("log_scale")]
    zeros = [p for name, p in network.grids.named_parameters() if name.endswith("zero_point")]
    return [
        {"params": weights, "peak": rate},
        {"params": scales, "peak": rate * SCALE_RATE},
        {"params": zeros, "peak": rate * ZERO_POINT_RATE},
    ]
