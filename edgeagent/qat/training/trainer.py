"""The training loop: a fake-quantized student follows its float teacher, with checkpoints.

Where pictures are labelled, a supervised loss can be added to the teacher's. The same loop trains in float
when the activation functions of a network were exchanged and it has to find back to its teacher first.

AdamW with a one-cycle rate (:mod:`edgeagent.qat.training.rates`). A checkpoint holds all that the next step
depends on, so that a resumed run continues as if it had not stopped. In several processes each runs its part
of every step's pictures; a step in two processes is the same as one that is accumulated from two parts.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from edgeagent.errors import DataError
from edgeagent.qat.network.network import Mode, Network
from edgeagent.qat.training.average import WeightAverage
from edgeagent.qat.training.distillation import distillation_loss, feature_loss
from edgeagent.qat.training.early_stopping import EarlyStopping
from edgeagent.qat.training.held_out import HeldOut
from edgeagent.qat.training.labelled import Batch, TrainingSample, collate
from edgeagent.qat.training.processes import Processes
from edgeagent.qat.training.rates import parameter_groups, set_rates
from edgeagent.qat.training.recipe import Recipe
from edgeagent.qat.training.supervised import Supervision
from edgeagent.qat.training.work_file import write_whole

GRADIENT_NORM = 10.0


@dataclass(frozen=True)
class Progress:
    """Where a run stands, after a step.

    Attributes:
        step: steps done.
        steps: steps of the recipe.
        loss: of this step; None where the run is taken up again.
        held_out: loss on the held-out pictures, when this step was followed by a look at them.
        stopped: whether training ends here, because the held-out pictures did not improve any more.
    """

    step: int
    steps: int
    loss: float | None
    held_out: float | None = None
    stopped: bool = False


class Trainer:
    """Trains a calibrated network in place.

    Args:
        network: calibrated; on its device.
        teacher: float network with the same heads, on the same device.
        pictures: ``recipe.steps * recipe.batch`` samples.
        recipe: settings.
        checkpoint: file to write every ``checkpoint_every`` steps and at the end.
        held_out: pictures to look at every ``recipe.check_every`` steps.
        mode: ``quantize``, or ``float`` to train without rounding.
        processes: this process among those of the run.
        supervision: loss over labelled pictures, added with ``recipe.supervised_weight``; None leaves labels
            unused.

    Attributes:
        history: (step, loss, loss on the held-out pictures or None) of every step so far.

    Raises:
        DataError: the recipe does not fit the model or the processes.
    """

    def __init__(
        self,
        network: Network,
        teacher: Network,
        pictures: Dataset[TrainingSample],
        recipe: Recipe,
        checkpoint: Path,
        checkpoint_every: int = 50,
        held_out: HeldOut | None = None,
        mode: Mode = "quantize",
        processes: Processes | None = None,
        supervision: Supervision | None = None,
    ) -> None:
        self._network, self._teacher, self._pictures, self._recipe = network, teacher, pictures, recipe
        self._checkpoint, self._checkpoint_every, self._held_out = checkpoint, checkpoint_every, held_out
        self._processes = processes or Processes()
        self._device = next(network.parameters()).device
        _check_parts(recipe, self._processes)
        self._teacher.set_mode("float")
        self._teacher.requires_grad_(False)
        self._network.set_mode(mode)
        for one in (network, teacher):
            one.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        learns = mode == "quantize" and recipe.scales == "learned"
        if not learns:
            network.grids.requires_grad_(False)
        groups = parameter_groups(network, recipe.weight_rate, learns)
        self._optimizer = torch.optim.AdamW(groups, weight_decay=0.0, fused=True)
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=recipe.precision == "float16")
        self._average = WeightAverage(network, recipe.average) if recipe.average else None
        self._stopping = EarlyStopping(recipe.patience)
        self._supervision = supervision if recipe.supervised_weight else None
        self._step = 0
        self.history: list[tuple[int, float, float | None]] = []

    def resume(self) -> int:
        """Load the checkpoint and return the step it was taken at.

        Raises:
            DataError: there is none, it is damaged, or it belongs to another recipe or model.
        """
        try:
            state = torch.load(self._checkpoint, weights_only=True, map_location=self._device)
            if state["recipe"] != asdict(self._recipe):
                raise DataError(
                    f"{self._checkpoint}: was made with {state['recipe']}, this run asks for "
                    f"{asdict(self._recipe)}; use the same settings or start without --resume"
                )
            if state["teacher"] != _fingerprint(self._teacher):
                raise DataError(f"{self._checkpoint}: belongs to another model; start without --resume")
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self._step, self.history = state["step"], state["history"]
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
        """Train to the last step, or until patience ends, reporting each; then keep the best weights.

        Raises:
            DataError: the loss is not a number any more.
            EdgeagentError: a checkpoint cannot be written.
        """
        student = self._shared_student()
        batches = self._batches()
        while self._step < self._recipe.steps and not self._stopping.ended:
            loss = self._processes.same(self._train_step(student, batches))
            if not math.isfinite(loss):
                raise DataError(f"step {self._step + 1}: the loss is {loss}; start again with a lower --rate")
            self._step += 1
            seen = self._look()
            self.history.append((self._step, loss, seen))
            last = self._step == self._recipe.steps or self._stopping.ended
            if last or self._step % self._checkpoint_every == 0:
                self.save()
            report(Progress(self._step, self._recipe.steps, loss, seen, self._stopping.ended))
        if self._average is not None:
            self._average.apply(self._average.weights)
        self._stopping.restore(self._network)

    def save(self) -> None:
        """Write the checkpoint, in the first process.

        Raises:
            EdgeagentError: it cannot be written; an older one is as it was.
        """
        if not self._processes.first:
            return
        state = {name: part.state_dict() for name, part in self._parts().items()}
        state |= {"recipe": asdict(self._recipe), "teacher": _fingerprint(self._teacher)}
        state |= {"step": self._step, "history": self.history}
        content = io.BytesIO()
        torch.save(state, content)
        write_whole(self._checkpoint, content.getvalue())

    def _parts(self) -> dict[str, Any]:
        """What has a state that the next step depends on, by its name in the checkpoint."""
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

    def _look(self) -> float | None:
        """Return the loss on the held-out pictures, when it is time to look."""
        due = self._step % self._recipe.check_every == 0 or self._step == self._recipe.steps
        if self._held_out is None or not due:
            return None
        with self._average.applied() if self._average else nullcontext():
            loss = self._processes.same(self._held_out.loss(self._network))
            self._stopping.look(loss, self._network)
        return loss

    def _shared_student(self) -> nn.Module:
        student = _Student(self._network)
        if self._processes.size == 1:
            return student
        # fixed grids and, without a feature loss, nothing else are left out of a step's graph
        return DistributedDataParallel(student, broadcast_buffers=False)

    def _batches(self) -> Iterator[Batch]:
        """Yield this process's parts of the steps that are left, in order."""
        size, parts = self._recipe.batch, self._recipe.accumulate * self._processes.size
        part = size // parts
        first = self._processes.rank * self._recipe.accumulate * part
        rest = [
            step * size + first + position
            for step in range(self._step, self._recipe.steps)
            for position in range(self._recipe.accumulate * part)
        ]
        return iter(
            DataLoader(
                self._pictures,
                batch_size=part,
                sampler=rest,
                num_workers=1,
                prefetch_factor=4,
                collate_fn=collate,
            )
        )


class _Student(nn.Module):
    """The network as a module that gives heads and features, for DistributedDataParallel."""

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
