"""From a float model and pictures to a bundle: the workflow of ``edgeagent qat train``.

::

    read graph -> plan grids -> calibrate -> PTQ artefacts (evidence) -> train -> export in each format
        -> compare each with the trained network on golden pictures -> measure each -> write bundle

What is made on the way lies in a work folder, so that a run can be resumed and looked at. The bundle
appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from edgeagent import __version__
from edgeagent.accuracy.yolo_labels import Labels
from edgeagent.bundle.manifest import ModelDescription
from edgeagent.errors import DataError
from edgeagent.qat.calibration import METHODS, Method, Observed, observe, set_ranges
from edgeagent.qat.exports import DEFAULTS, Exported, export
from edgeagent.qat.graph import read_graph
from edgeagent.qat.grid import GridPlan, Preset, plan_grids
from edgeagent.qat.network import Network
from edgeagent.qat.pictures import Augmented, Fitted, pictures_hash
from edgeagent.qat.preset_b import plan_grids_b
from edgeagent.qat.training import Progress, Recipe, Trainer

CALIBRATION_PICTURES = 128
CALIBRATION_BATCH = 16
START: Method = "percentile"  # of the training: steadiest where a few channels dwarf the others


@dataclass(frozen=True)
class Source:
    """What a run starts from.

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


class Run:
    """One run of the factory.

    Args:
        source: model and pictures.
        recipe: of the training.
        work: folder for checkpoints and intermediate artefacts; made when missing.
        compiled: fuse the fake-quantizers with a C++ compiler, when there is one.
        preset: of the grids; ``b`` is for TensorRT.

    Raises:
        DataError: the model or the pictures cannot be used.
    """

    def __init__(
        self, source: Source, recipe: Recipe, work: Path, compiled: bool = True, preset: Preset = "a"
    ) -> None:
        self.source, self.recipe, self.work = source, recipe, work
        torch.manual_seed(recipe.seed)
        self.graph = read_graph(source.model)
        self._check_input()
        work.mkdir(parents=True, exist_ok=True)
        self.network = Network(self.graph, self._plan(preset), compiled)
        self._seen: dict[int, Observed] = {}
        self._kept: Method | None = None

    def calibrate(self) -> dict[Method, Exported]:
        """Calibrate by each method, export each as a PTQ artefact, and leave the network at :data:`START`."""
        pictures = Fitted(self.source.calibration, self.source.description.input)
        self._seen = observe(self.network, DataLoader(pictures, batch_size=CALIBRATION_BATCH))
        artefacts = {}
        for method in METHODS:
            set_ranges(self.network, self._seen, method)
            folder = self.work / f"ptq-{method}"
            folder.mkdir(exist_ok=True)
            artefacts[method] = export(self.network, folder, DEFAULTS[self.network.plan.preset][0])
        set_ranges(self.network, self._seen, START)
        return artefacts

    def keep(self, method: Method) -> None:
        """Take the calibration of a method as the result; :meth:`calibrate` has been called."""
        set_ranges(self.network, self._seen, method)
        self._kept = method

    def train(self, report: Callable[[Progress], None], resume: bool = False) -> None:
        """Train the network.

        Raises:
            DataError: there is nothing to resume.
        """
        items = self.recipe.steps * self.recipe.batch
        spec, seed = self.source.description.input, self.recipe.seed
        pictures = Augmented(self.source.pictures, spec, seed, items, self.source.labels)
        trainer = Trainer(self.network, pictures, self.recipe, self.work / "checkpoint.pt")
        if resume:
            report(Progress(trainer.resume(), self.recipe.steps, None))
        trainer.run(report)

    def export(self, formats: Sequence[str]) -> list[Exported]:
        """Export the trained network in each format, see :func:`edgeagent.qat.exports.export`."""
        return [export(self.network, self.work, name) for name in formats]

    def recipe_record(self) -> dict[str, Any]:
        """Return what made the artefact, for the manifest."""
        calibration = f"calibration on {len(self.source.calibration)} pictures"
        model = hashlib.sha256(self.source.model.read_bytes()).hexdigest()
        made_with = {"edgeagent": __version__, "torch": torch.__version__, "machine": platform.machine()}
        if self._kept is not None:
            return {"method": f"{self._kept} {calibration}, no training", "model_sha256": model, **made_with}
        losses = "self-distillation and labels" if self.recipe.supervised_weight else "self-distillation"
        return {
            **asdict(self.recipe),
            "method": f"{losses}, learned scales and zero points, straight-through rounding",
            "preset": self.network.plan.preset,
            "start": f"{START} {calibration}",
            "pictures": len(self.source.pictures),
            "labelled_pictures": len(self.source.labels),
            "pictures_sha256": pictures_hash(self.source.pictures),
            "model_sha256": model,
            **made_with,
        }

    def _plan(self, preset: Preset) -> GridPlan:
        spec = self.source.description.input
        if preset == "b":
            return plan_grids_b(self.graph, spec.mean, spec.std)
        return plan_grids(self.graph, spec.mean == (0, 0, 0) and spec.std == (1, 1, 1))

    def _check_input(self) -> None:
        spec, (_, _, height, width) = self.source.description.input, self.graph.input_shape
        if (spec.width, spec.height) != (width, height):
            raise DataError(
                f"{self.source.model}: takes pictures of {width}x{height}, its description says "
                f"{spec.width}x{spec.height}; correct the description"
            )
