"""One training of one model: its network on the grids of a preset, calibrated, trained and exported.

What is made on the way lies in a work folder, so that a run can be resumed and looked at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from edgeagent.bundle.evidence import TrainingPoint
from edgeagent.bundle.manifest import InputSpec, ModelDescription
from edgeagent.datasets.yolo_labels import Labels
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.grid.affine import GridPlan, Preset, plan_affine_grids
from edgeagent.qat.grid.input_grid import pixel_grid
from edgeagent.qat.grid.symmetric import plan_symmetric_grids
from edgeagent.qat.network.fake_quantize import Convolution
from edgeagent.qat.network.network import Mode, Network
from edgeagent.qat.ptq.calibration import Method, observe, set_ranges
from edgeagent.qat.training.held_out import HeldOut
from edgeagent.qat.training.pictures import Augmented, Fitted, hold_out
from edgeagent.qat.training.processes import Processes
from edgeagent.qat.training.recipe import Recipe
from edgeagent.qat.training.supervised import supervise
from edgeagent.qat.training.trainer import Progress, Trainer

CALIBRATION_BATCH = 16
POINTS = 500  # of a loss curve that are kept
START: Method = "percentile"  # of the training: steadiest where a few channels dwarf the others


@dataclass(frozen=True)
class TrainingSource:
    """What a bundle is made from.

    Attributes:
        model: float ONNX file.
        description: how it is fed and decoded.
        pictures: to train on, in a fixed order; a picture listed twice is drawn twice as often.
        calibration: to calibrate on.
        labels: of some of the pictures; the recipe says how much the supervised loss weighs.
    """

    model: Path
    description: ModelDescription
    pictures: Sequence[Path]
    calibration: Sequence[Path]
    labels: Mapping[Path, Labels] = field(default_factory=dict)

    def describe(self) -> str:
        """Return a line for people."""
        labelled = f", {len(self.labels)} of them labelled" if self.labels else ""
        return f"{len(self.pictures)} pictures{labelled}; calibrating on {len(self.calibration)}"


class Run:
    """One run.

    Args:
        source: pictures and description.
        graph: float graph whose weights are trained.
        recipe: of the training.
        work: folder for checkpoint and artefacts; made when missing.
        preset: of the grids.
        float_nodes: nodes that stay in float.
        compiled: fuse the fake-quantizers with a C++ compiler, when there is one.
        processes: this process among those of the run.

    Attributes:
        network: of the run.
        history: (step, loss, loss on held-out pictures or None) of each step of the training.
    """

    def __init__(
        self,
        source: TrainingSource,
        graph: Graph,
        recipe: Recipe,
        work: Path,
        preset: Preset = "a",
        float_nodes: Collection[str] = (),
        compiled: bool = True,
        processes: Processes | None = None,
    ) -> None:
        self.source, self.graph, self.recipe, self.work = source, graph, recipe, work
        self._compiled, self._processes = compiled, processes or Processes()
        torch.manual_seed(recipe.seed)
        work.mkdir(parents=True, exist_ok=True)
        plan = plan_for(graph, source.description.input, preset, float_nodes)
        self.network = Network(graph, plan, compiled)
        self.history: list[tuple[int, float, float | None]] = []

    def calibrate(self, method: Method = START) -> None:
        """Set the grids by a method, from the calibration pictures."""
        pictures = Fitted(self.source.calibration, self.source.description.input)
        seen = observe(self.network, DataLoader(pictures, batch_size=CALIBRATION_BATCH))
        set_ranges(self.network, seen, method)

    def train(
        self,
        teacher: Graph,
        report: Callable[[Progress], None],
        resume: bool = False,
        mode: Mode = "quantize",
    ) -> None:
        """Train the network, on a GPU when there is one; it is on the CPU afterwards.

        Args:
            teacher: float graph with the same heads.
            report: called after each step.
            resume: continue from the checkpoint in the work folder.
            mode: ``float`` trains without rounding.

        Raises:
            DataError: there is nothing to resume, the loss is not a number any more, or labels weigh and the
                heads are of no family with a supervised loss.
        """
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        spec, decoder, recipe = self.source.description.input, self.source.description.decoder, self.recipe
        trained_on, held_out = hold_out(self.source.pictures)
        pictures = Augmented(
            trained_on,
            spec,
            recipe.seed,
            recipe.steps * recipe.batch,
            self.source.labels,
            recipe.mosaic,
            int(recipe.mosaic_until * recipe.steps) * recipe.batch,
        )
        teaching = Network(teacher, plan_for(teacher, spec, "a"), self._compiled).to(device)
        teaching.set_mode("float")
        looked_at = [batch.to(device) for batch in DataLoader(Fitted(held_out, spec), CALIBRATION_BATCH)]
        trainer = Trainer(
            self.network.to(device),
            teaching,
            pictures,
            recipe,
            self.work / "checkpoint.pt",
            held_out=HeldOut(teaching, looked_at) if looked_at else None,
            mode=mode,
            processes=self._processes,
            supervision=supervise(self.graph, decoder) if recipe.supervised_weight else None,
        )
        if resume and (self.work / "checkpoint.pt").exists():
            report(Progress(trainer.resume(), recipe.steps, None))
        try:
            trainer.run(report)
        finally:
            self.network.to("cpu")
        self.history = trainer.history

    def loss_curve(self) -> list[TrainingPoint]:
        """Return the history as evidence: each look at the held-out pictures, even steps between."""
        every = max(1, len(self.history) // POINTS)
        return [
            TrainingPoint(step=step, loss=loss, held_out=held_out)
            for step, loss, held_out in self.history
            if held_out is not None or step % every == 0
        ]


def plan_for(graph: Graph, spec: InputSpec, preset: Preset, float_nodes: Collection[str] = ()) -> GridPlan:
    """Return the grids of a graph under a preset."""
    if preset == "b":
        return plan_symmetric_grids(graph, spec.mean, spec.std)
    return plan_affine_grids(graph, pixel_grid(spec.mean, spec.std), frozenset(float_nodes))


def with_weights(graph: Graph, network: Network) -> Graph:
    """Return the graph with the weights and biases that a network of it has now."""
    constants = dict(graph.constants)
    for node in graph.nodes:
        if node.operator != "Conv":
            continue
        module: Convolution = network.convolution(node)
        constants[node.inputs[1]] = module.weight().detach().contiguous().numpy()
        bias = module.bias()
        if bias is not None:
            constants[node.inputs[2]] = bias.detach().numpy()
    return dataclasses.replace(graph, constants=constants)
