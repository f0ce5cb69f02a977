"""Training loop: a fake-quantized student is trained towards its float teacher, with checkpoints.

A supervised loss over labelled pictures can be added to the distillation loss. The same loop trains in float
after the activation functions of a network were replaced: it must first recover the teacher's outputs.

The optimiser is AdamW with a one-cycle rate (:mod:`edgeagent.qat.training.rates`). A checkpoint has all that
the next step depends on, so that a resumed run gives the same weights as an uninterrupted one. Of several
processes, each runs its share of every step's pictures; a step in two processes equals a step accumulated
from two parts.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from edgeagent.errors import DataError
from edgeagent.qat.core.work_file import write_work_file
from edgeagent.qat.distillation.loss import distillation_loss, feature_loss
from edgeagent.qat.network.network import Network
from edgeagent.qat.training.average import WeightAverage
from edgeagent.qat.training.early_stopping import EarlyStopping
from edgeagent.qat.training.execution import Execution
from edgeagent.qat.training.labelled import Batch, collate
from edgeagent.qat.training.loading import plan_loading
from edgeagent.qat.training.objective import Objective, TrainingPictures
from edgeagent.qat.training.processes import Processes
from edgeagent.qat.training.rates import parameter_groups, set_rates
from edgeagent.qat.training.recipe import Recipe

FLOAT_BYTES = 4
GRADIENT_NORM = 10.0


@dataclass(frozen=True)
class TrainingProgress:
    """State of a training after a step.

    Attributes:
        step: number of finished steps.
        steps: number of steps of the recipe.
        loss: loss of the step; None when a run was resumed.
        held_out: loss on the held-out pictures, after a step with a check on them.
        stopped: whether training ends early because the held-out loss stopped improving.
    """

    step: int
    steps: int
    loss: float | None
    held_out: float | None = None
    stopped: bool = False


class Trainer:
    """Training of a calibrated network, in place.

    Args:
        network: calibrated student, on its device.
        objective: teacher, mode and supervised loss.
        pictures: samples to train on, and held-out pictures.
        recipe: settings.
        execution: checkpoint file and processes; its folder exists.

    Attributes:
        history: (step, loss, held-out loss or None) of every step so far.

    Raises:
        DataError: the batch cannot be divided among processes and accumulated parts.
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        pictures: TrainingPictures,
        recipe: Recipe,
        execution: Execution,
    ) -> None:
        self._network, self._pictures = network, pictures
        self._recipe, self._execution = recipe, execution
        self._processes, self._teacher = execution.processes, objective.teacher
        self._device = next(network.parameters()).device
        _check_parts(recipe, self._processes)
        self._teacher.set_mode("float")
        self._teacher.requires_grad_(False)
        self._network.set_mode(objective.mode)
        for one in (network, self._teacher):
            one.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        learns = objective.mode == "quantize" and recipe.scales == "learned"
        if not learns:
            network.grids.requires_grad_(False)
        groups = parameter_groups(network, recipe.weight_rate, learns)
        self._optimizer = torch.optim.AdamW(groups, weight_decay=0.0, fused=True)
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=recipe.precision == "float16")
        self._average = WeightAverage(network, recipe.average) if recipe.average else None
        self._stopping = EarlyStopping(recipe.patience)
        self._supervision = objective.supervision if recipe.supervised_weight else None
        self._step = 0
        self.history: list[tuple[int, float, float | None]] = []

    def resume(self) -> int:
        """Load the checkpoint and return its step.

        Raises:
            DataError: there is no checkpoint, it is damaged, or it belongs to another recipe or model.
        """
        checkpoint = self._execution.checkpoint
        try:
            state = torch.load(checkpoint, weights_only=True, map_location=self._device)
            if state["recipe"] != asdict(self._recipe):
                raise DataError(
                    f"{checkpoint}: was made with {state['recipe']}, this run asks for "
                    f"{asdict(self._recipe)}; use the same settings or start without --resume"
                )
            if state["teacher"] != _fingerprint(self._teacher):
                raise DataError(f"{checkpoint}: belongs to another model; start without --resume")
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self._step, self.history = state["step"], state["history"]
        except FileNotFoundError:
            raise DataError(f"{checkpoint}: no checkpoint to resume from; start without --resume") from None
        except DataError:
            raise
        except Exception as error:  # a damaged file surfaces in many ways
            raise DataError(f"{checkpoint}: not a checkpoint of this model ({error})") from error
        return self._step

    def run(self, report: Callable[[TrainingProgress], None]) -> None:
        """Train to the last step or to the end of patience, then load the averaged or best weights.

        Args:
            report: called after every step.

        Raises:
            DataError: the loss is no longer finite.
            EdgeagentError: a checkpoint cannot be written.
        """
        student = self._shared_student()
        batches = self._batches()
        while self._step < self._recipe.steps and not self._stopping.ended:
            loss = self._processes.same(self._train_step(student, batches))
            if not math.isfinite(loss):
                raise DataError(f"step {self._step + 1}: the loss is {loss}; start again with a lower --rate")
            self._step += 1
            seen = self._check()
            self.history.append((self._step, loss, seen))
            last = self._step == self._recipe.steps or self._stopping.ended
            if last or self._step % self._execution.checkpoint_every == 0:
                self.save()
            report(TrainingProgress(self._step, self._recipe.steps, loss, seen, self._stopping.ended))
        if self._average is not None:
            self._average.apply(self._average.weights)
        self._stopping.restore(self._network)

    def save(self) -> None:
        """Write the checkpoint, in the first process only.

        Raises:
            EdgeagentError: the checkpoint cannot be written; an older one is unchanged.
        """
        if not self._processes.first:
            return
        state = {name: part.state_dict() for name, part in self._parts().items()}
        state |= {"recipe": asdict(self._recipe), "teacher": _fingerprint(self._teacher)}
        state |= {"step": self._step, "history": self.history}
        content = io.BytesIO()
        torch.save(state, content)
        write_work_file(self._execution.checkpoint, content.getvalue())

    def _parts(self) -> dict[str, Any]:
        """Return the parts with a state, by their names in the checkpoint."""
        parts = {
            "network": self._network,
            "optimizer": self._optimizer,
            "scaler": self._scaler,
            "stopping": self._stopping,
        }
        return parts if self._average is None else {**parts, "average": self._average}

    def _train_step(self, student: nn.Module, batches: Iterator[Batch]) -> float:
        set_rates(self._optimizer, self._recipe, self._step)
        self._optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for part in range(self._recipe.accumulate):
            waits = isinstance(student, DistributedDataParallel) and part + 1 < self._recipe.accumulate
            with student.no_sync() if waits else nullcontext():  # type: ignore[operator]
                loss = self._loss(student, next(batches)) / self._recipe.accumulate
                self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        self._scaler.unscale_(self._optimizer)
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), GRADIENT_NORM)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if self._average is not None:
            self._average.update()
        return total

    def _loss(self, student: nn.Module, batch: Batch) -> Tensor:
        pictures = batch.pictures.to(self._device, memory_format=torch.channels_last)
        precision = getattr(torch, self._recipe.precision)
        with torch.autocast(self._device.type, precision, enabled=precision is not torch.float32):
            with torch.no_grad():
                wanted, wanted_features = _in_float32(self._teacher.heads_and_features(pictures))
            got, features = _in_float32(student(pictures))
        loss = distillation_loss(self._network.graph.heads, got, wanted)
        if self._recipe.feature_weight and features:
            loss = loss + self._recipe.feature_weight * feature_loss(features, wanted_features)
        labelled = [position for position, known in enumerate(batch.labelled) if known]
        if self._supervision is not None and labelled:
            targets = [batch.boxes[position].to(self._device) for position in labelled]
            supervised = self._supervision([head[labelled] for head in got], targets)
            loss = loss + self._recipe.supervised_weight * supervised
        return loss

    def _check(self) -> float | None:
        """Return the loss on the held-out pictures when a check is due; None otherwise."""
        due = self._step % self._recipe.check_every == 0 or self._step == self._recipe.steps
        held_out = self._pictures.held_out
        if held_out is None or not due:
            return None
        with self._average.applied() if self._average else nullcontext():
            loss = self._processes.same(held_out.loss(self._network))
            self._stopping.check(loss, self._network)
        return loss

    def _shared_student(self) -> nn.Module:
        student = _Student(self._network)
        if self._processes.size == 1:
            return student
        # fixed grids require no gradient; all other parameters take part in every step
        return DistributedDataParallel(student, broadcast_buffers=False)

    def _batches(self) -> Iterator[Batch]:
        """Return an iterator over this process's parts of the remaining steps."""
        size, parts = self._recipe.batch, self._recipe.accumulate * self._processes.size
        part = size // parts
        first = self._processes.rank * self._recipe.accumulate * part
        rest = [
            step * size + first + position
            for step in range(self._step, self._recipe.steps)
            for position in range(self._recipe.accumulate * part)
        ]
        _, channels, height, width = self._network.graph.input_shape
        plan = plan_loading(part * channels * height * width * FLOAT_BYTES, self._processes.size)
        return iter(
            DataLoader(
                self._pictures.samples,
                batch_size=part,
                sampler=rest,
                num_workers=plan.workers,
                prefetch_factor=plan.prefetched,
                collate_fn=collate,
            )
        )


class _Student(nn.Module):
    """Network as a module that returns heads and features, for DistributedDataParallel."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        return self.network.heads_and_features(pictures)


def _in_float32(
    given: tuple[tuple[Tensor, ...], tuple[Tensor, ...]],
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    heads, features = given
    return tuple(head.float() for head in heads), tuple(feature.float() for feature in features)


def _check_parts(recipe: Recipe, processes: Processes) -> None:
    if recipe.batch % (recipe.accumulate * processes.size):
        raise DataError(
            f"a batch of {recipe.batch} pictures cannot be divided among {processes.size} processes with "
            f"{recipe.accumulate} accumulated parts each; choose a multiple of "
            f"{recipe.accumulate * processes.size}"
        )


def _fingerprint(network: Network) -> str:
    """Return a hash of the network's weights."""
    digest = hashlib.sha256()
    for _, value in network.convolutions.named_parameters():
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
