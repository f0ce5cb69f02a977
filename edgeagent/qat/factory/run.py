"""Training run: one network on one grid plan, calibrated and trained, with its files in a work folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from edgeagent.bundle.evidence import TrainingPoint
from edgeagent.qat.distillation.held_out import HeldOut
from edgeagent.qat.factory.job import TrainingSource
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.grid.plan import GridPlan
from edgeagent.qat.grid.planning import plan_grids
from edgeagent.qat.network.network import Mode, Network
from edgeagent.qat.pictures.finding import hold_out
from edgeagent.qat.pictures.fitted import Fitted
from edgeagent.qat.ptq.calibration import Method, observe, set_ranges
from edgeagent.qat.training.augmented import Augmentation, Augmented
from edgeagent.qat.training.execution import Execution
from edgeagent.qat.training.objective import Objective, TrainingPictures
from edgeagent.qat.training.recipe import Recipe
from edgeagent.qat.training.supervised import supervise
from edgeagent.qat.training.trainer import Trainer, TrainingProgress

CALIBRATION_BATCH = 16
POINTS = 500  # of a loss curve in the evidence
START: Method = "percentile"  # calibration before training: most robust against a few dominant channels


class TrainingRun:
    """Training of one network.

    Args:
        source: pictures and description of the model.
        graph: float graph whose weights are trained.
        recipe: settings of the training.
        plan: grids of the graph.
        execution: work folder, created if missing, and processes.

    Attributes:
        network: trained network.
        recipe: settings of the training.
        execution: work folder and processes.
        history: (step, loss, loss on held-out pictures or None) of each step of the training.
    """

    def __init__(
        self, source: TrainingSource, graph: Graph, recipe: Recipe, plan: GridPlan, execution: Execution
    ) -> None:
        self._source, self._graph = source, graph
        self.recipe, self.execution = recipe, execution
        torch.manual_seed(recipe.seed)
        execution.work.mkdir(parents=True, exist_ok=True)
        self.network = Network(graph, plan, execution.compiled)
        self.history: list[tuple[int, float, float | None]] = []

    def calibrate(self, method: Method = START, pictures: Sequence[Path] = ()) -> None:
        """Set the grids from pictures, by default from all calibration pictures."""
        fitted = Fitted(pictures or self._source.calibration, self._source.description.input)
        seen = observe(self.network, DataLoader(fitted, batch_size=CALIBRATION_BATCH))
        set_ranges(self.network, seen, method)

    def train(
        self, teacher: Graph, report: Callable[[TrainingProgress], None], mode: Mode = "quantize"
    ) -> None:
        """Train the network, on a GPU if there is one; it is on the CPU afterwards.

        Args:
            teacher: float graph with the same heads.
            report: called after each step.
            mode: ``float`` trains without rounding.

        Raises:
            DataError: the checkpoint cannot be used, the loss is no longer finite, or labels are used and
                the heads have no supervised loss.
        """
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        spec, recipe = self._source.description.input, self.recipe
        trained_on, held_out = hold_out(self._source.pictures)
        samples = Augmented(
            trained_on, spec, Augmentation.of(recipe, self._source.description.task), self._source.labels
        )
        compiled = self.execution.compiled
        teaching = Network(teacher, plan_grids(teacher, spec, "affine"), compiled).to(device)
        teaching.set_mode("float")
        batches = [batch.to(device) for batch in DataLoader(Fitted(held_out, spec), CALIBRATION_BATCH)]
        decoder = self._source.description.decoder
        supervision = supervise(self._graph, decoder) if recipe.supervised_weight else None
        trainer = Trainer(
            self.network.to(device),
            Objective(teaching, mode, supervision),
            TrainingPictures(samples, HeldOut(teaching, batches) if batches else None),
            recipe,
            self.execution,
        )
        if self.execution.resume and self.execution.checkpoint.exists():
            report(TrainingProgress(trainer.resume(), recipe.steps, None))
        try:
            trainer.run(report)
        finally:
            self.network.to("cpu")
        self.history = trainer.history

    def loss_curve(self) -> list[TrainingPoint]:
        """Return the history as evidence: each check on held-out pictures, and steps at even distances."""
        every = max(1, len(self.history) // POINTS)
        return [
            TrainingPoint(step=step, loss=loss, held_out=held_out)
            for step, loss, held_out in self.history
            if held_out is not None or step % every == 0
        ]
