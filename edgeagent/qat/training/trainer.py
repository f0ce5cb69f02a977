"""Training loop: a fake-quantized student is trained towards its float teacher, with checkpoints.

A supervised loss over labelled pictures can be added to the distillation loss. The same loop trains in float
after the activation functions of a network were replaced: it must first recover the teacher's outputs.

The optimiser is AdamW with a one-cycle rate (:mod:`edgeagent.qat.training.rates`). A checkpoint has all that
the next step depends on, so that a resumed run gives the same weights as an uninterrupted one. Of several
processes, each runs its share of every step's pictures; a step in two processes equals a step accumulated
from two parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from edgeagent.errors import DataError
from edgeagent.qat.distillation.held_out import HeldOut
from edgeagent.qat.distillation.loss import distillation_loss, feature_loss
from edgeagent.qat.network.network import Network
from edgeagent.qat.training.average import WeightAverage
from edgeagent.qat.training.checkpoint import Checkpoint, History
from edgeagent.qat.training.early_stopping import EarlyStopping
from edgeagent.qat.training.execution import Execution
from edgeagent.qat.training.gradient_limit import GradientLimit, gradient_norm
from edgeagent.qat.training.labelled import Batch, collate
from edgeagent.qat.training.loading import plan_loading
from edgeagent.qat.training.objective import Objective, TrainingPictures
from edgeagent.qat.training.processes import Processes
from edgeagent.qat.training.rates import parameter_groups, set_rates
from edgeagent.qat.training.recipe import Recipe

FLOAT_BYTES = 4


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
        self._joints = _common(network.features, self._teacher.features)
        for one in (network, self._teacher):
            one.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        learns = objective.mode == "quantize" and recipe.scales == "learned"
        if not learns:
            network.grids.requires_grad_(False)
        groups = parameter_groups(network, learns)
        self._optimizer = torch.optim.AdamW(groups, weight_decay=0.0, fused=True)
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=recipe.precision == "float16")
        self._gradients = GradientLimit(recipe.clip)
        self._average = WeightAverage(network, recipe.decay) if recipe.decay else None
        self._stopping = EarlyStopping(recipe.patience, recipe.final_state == "best")
        self._checkpoint = Checkpoint(execution.checkpoint, recipe, self._teacher)
        self._supervision = objective.supervision if recipe.supervised_weight else None
        self._step, self._saved = 0, -1
        self.history: History = []

    def resume(self) -> int:
        """Load the checkpoint and return its step.

        Raises:
            DataError: there is no checkpoint, it is damaged, or it belongs to another recipe or model.
        """
        self._step, self.history = self._checkpoint.load(self._parts(), self._device)
        self._saved = self._step
        return self._step

    def run(self, report: Callable[[TrainingProgress], None]) -> None:
        """Train to the last step or to the end of patience, then load the best or averaged state.

        Args:
            report: called after every step.

        Raises:
            DataError: the loss or the gradient is no longer finite; the checkpoint has the last good state.
            EdgeagentError: a checkpoint cannot be written.
        """
        student = self._shared_student()
        batches = self._batches()
        while self._step < self._recipe.steps and not self._stopping.ended:
            loss = self._train_step(student, batches)
            self._step += 1
            seen = self._check()
            self.history.append((self._step, loss, seen))
            if self._step == self._recipe.steps or self._stopping.ended:
                self._check_weights()
                self._save()
            report(TrainingProgress(self._step, self._recipe.steps, loss, seen, self._stopping.ended))
        if not self._stopping.restore(self._network) and self._average is not None:
            self._average.apply(self._average.weights)

    def _save(self) -> None:
        """Write the checkpoint, in the first process only."""
        if self._processes.first and self._saved != self._step:
            self._checkpoint.save(self._parts(), self._step, self.history)
        self._saved = self._step

    def _parts(self) -> dict[str, Any]:
        """Return the parts with a state, by their names in the checkpoint."""
        parts = {
            "network": self._network,
            "optimizer": self._optimizer,
            "scaler": self._scaler,
            "gradients": self._gradients,
            "stopping": self._stopping,
        }
        return parts if self._average is None else {**parts, "average": self._average}

    def _train_step(self, student: nn.Module, batches: Iterator[Batch]) -> float:
        """Run a step and return its loss.

        A checkpoint that is due is written between gradient and update: its weights have then given a finite
        loss and gradient.
        """
        set_rates(self._optimizer, self._recipe, self._step)
        loss = self._processes.same(self._differentiate(student, batches))
        parameters = list(self._network.parameters())
        norm = gradient_norm(parameters)
        scaled = self._scaler.is_enabled()  # the scaler leaves out steps whose gradient overflows
        self._check_finite(self._step + 1, loss=loss, gradient=0.0 if scaled else norm)
        if self._step % self._execution.checkpoint_every == 0:
            self._save()
        self._gradients.apply(parameters, norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if self._average is not None:
            self._average.update()
        return loss

    def _differentiate(self, student: nn.Module, batches: Iterator[Batch]) -> float:
        """Compute the gradients of a step, and return its loss."""
        self._optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for part in range(self._recipe.accumulate):
            waits = isinstance(student, DistributedDataParallel) and part + 1 < self._recipe.accumulate
            with student.no_sync() if waits else nullcontext():  # type: ignore[operator]
                loss = self._loss(student, next(batches)) / self._recipe.accumulate
                self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        self._scaler.unscale_(self._optimizer)
        return total

    def _check_finite(self, step: int, **values: float) -> None:
        for name, value in values.items():
            if math.isfinite(value):
                continue
            advice = (
                f"{self._checkpoint.path} has the last good state, of step {self._saved}; continue with "
                "--resume and a lower --rate"
                if self._saved >= 0
                else "nothing has been trained yet; check the float model and its description"
            )
            raise DataError(f"step {step}: the {name} is {value}; {advice}")

    def _check_weights(self) -> None:
        magnitudes = [value.detach().abs().sum() for value in self._network.parameters()]
        self._check_finite(self._step, weights=float(torch.stack(magnitudes).sum()))

    def _loss(self, student: nn.Module, batch: Batch) -> Tensor:
        pictures = batch.pictures.to(self._device, memory_format=torch.channels_last)
        precision = getattr(torch, self._recipe.precision)
        with torch.autocast(self._device.type, precision, enabled=precision is not torch.float32):
            with torch.no_grad():
                wanted, wanted_features = _in_float32(self._teacher.heads_and_features(pictures))
            got, features = _in_float32(student(pictures))
        loss = distillation_loss(self._network.graph.heads, got, wanted, self._recipe.box_loss)
        if self._recipe.feature_weight and self._joints:
            own, others = zip(*((features[a], wanted_features[b]) for a, b in self._joints), strict=True)
            loss = loss + self._recipe.feature_weight * feature_loss(own, others)
        labelled = [position for position, known in enumerate(batch.labelled) if known]
        if self._supervision is not None and labelled:
            targets = [batch.boxes[position].to(self._device) for position in labelled]
            supervised = self._supervision([head[labelled] for head in got], targets)
            loss = loss + self._recipe.supervised_weight * supervised
        return loss

    def _check(self) -> float | None:
        """Return the lower held-out loss, of the weights and their average, when a check is due."""
        due = self._step % self._recipe.check_every == 0 or self._step == self._recipe.steps
        held_out = self._pictures.held_out
        if held_out is None or not due:
            return None
        self._stopping.begin_check()
        losses = [self._compare(held_out)]
        if self._average is not None:
            with self._average.applied():
                losses.append(self._compare(held_out))
        return min(losses)

    def _compare(self, held_out: HeldOut) -> float:
        """Return the held-out loss of the present state, which is kept if it is the best."""
        loss = self._processes.same(held_out.loss(self._network))
        self._check_finite(self._step, **{"loss on held-out pictures": loss})
        self._stopping.compare(loss, self._network)
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


def _common(own: Sequence[str], others: Sequence[str]) -> list[tuple[int, int]]:
    """Return the positions of the tensors that two networks have; channel groups are joined in one alone."""
    places = {name: position for position, name in enumerate(others)}
    return [(position, places[name]) for position, name in enumerate(own) if name in places]


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
