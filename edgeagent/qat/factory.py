"""From a float model and pictures to a bundle: the workflow of ``edgeagent qat train``.

::

    read graph -> plan grids -> calibrate -> PTQ artefacts (evidence) -> train -> export -> count operators
        -> compare with the trained network on golden pictures -> measure -> write bundle

What is made on the way lies in a work folder, so that a run can be resumed and looked at. The bundle
appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch.utils.data import DataLoader

from edgeagent import __version__
from edgeagent.accuracy.yolo_labels import Labels
from edgeagent.bundle.golden import Golden, compare
from edgeagent.bundle.manifest import ModelDescription, OperatorCounts, OutputSpec
from edgeagent.camera.picture import read_picture
from edgeagent.errors import DataError
from edgeagent.qat.calibration import Method, observe, set_ranges
from edgeagent.qat.fake_quantize import ActivationGrid
from edgeagent.qat.graph import Graph, Head, read_graph
from edgeagent.qat.grid import plan_grids
from edgeagent.qat.network import Network
from edgeagent.qat.onnx_export import export_onnx
from edgeagent.qat.operator_counts import count_operators
from edgeagent.qat.pictures import Augmented, Fitted, fit, normalized, pictures_hash
from edgeagent.qat.training import Progress, Recipe, Trainer
from edgeagent.runtime.onnxruntime_engine import OnnxRuntimeEngine
from edgeagent.vision.letterbox import Preprocessor

CALIBRATION_PICTURES = 128
CALIBRATION_BATCH = 16
PTQ_METHODS: tuple[Method, ...] = ("minmax", "percentile")

# Rounding ties flip differently in every engine, and the flips grow through a hundred layers: YOLOX-nano's
# heads are 2 to 4 steps off on average between two exact engines, 9 where 8-bit sums saturate.
GOLDEN_LIMIT = 6.0
GOLDEN_MARGIN = 1.5


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

    Raises:
        DataError: the model or the pictures cannot be used.
    """

    def __init__(self, source: Source, recipe: Recipe, work: Path, compiled: bool = True) -> None:
        self.source, self.recipe, self.work = source, recipe, work
        torch.manual_seed(recipe.seed)
        self.graph = read_graph(source.model)
        self._check_input()
        work.mkdir(parents=True, exist_ok=True)
        pixels = source.description.input.mean == (0, 0, 0) and source.description.input.std == (1, 1, 1)
        self.network = Network(self.graph, plan_grids(self.graph, pixels), compiled)

    @property
    def artefact(self) -> Path:
        """The trained artefact, once :meth:`train` is done."""
        return self.work / "qat.onnx"

    def calibrate(self) -> dict[Method, Path]:
        """Calibrate by each method, export each as a PTQ artefact, and keep the last for training."""
        pictures = Fitted(self.source.calibration, self.source.description.input)
        seen = observe(self.network, DataLoader(pictures, batch_size=CALIBRATION_BATCH))
        artefacts = {}
        for method in PTQ_METHODS:
            set_ranges(self.network, seen, method)
            artefacts[method] = self.work / f"ptq-{method}.onnx"
            export_onnx(self.network, artefacts[method])
        return artefacts

    def train(self, report: Callable[[Progress], None], resume: bool = False) -> OperatorCounts:
        """Train, export, and return the operators of the artefact as ONNX Runtime optimises it.

        Raises:
            DataError: a convolution would run in float, or there is nothing to resume.
        """
        items = self.recipe.steps * self.recipe.batch
        spec, seed = self.source.description.input, self.recipe.seed
        pictures = Augmented(self.source.pictures, spec, seed, items, self.source.labels)
        trainer = Trainer(self.network, pictures, self.recipe, self.work / "checkpoint.pt")
        if resume:
            report(Progress(trainer.resume(), self.recipe.steps, None))
        trainer.run(report)
        self.network.set_mode("quantize")
        export_onnx(self.network, self.artefact)
        counts = count_operators(self.artefact)
        floating = [name for name in counts.float if "Conv" in name]
        if floating:
            raise DataError(
                f"{self.artefact}: ONNX Runtime leaves {floating} in float; the graph cannot be fused"
            )
        return counts

    @torch.no_grad()
    def golden(self, pictures: Sequence[Path]) -> tuple[Golden, float]:
        """Return what the trained network answers to golden pictures, and the tolerance for engines.

        The tolerance is what ONNX Runtime differs by on the worst output, and half as much again.

        Raises:
            DataError: the artefact does not compute what was trained.
        """
        spec = self.source.description.input
        engine = OnnxRuntimeEngine(self.artefact, threads=1)
        preprocessor, codes = Preprocessor(spec, engine.inputs[0]), engine.inputs[0].allocate()
        outputs = [tensor.allocate() for tensor in engine.outputs]
        steps = tuple(float(self._grid(head).quantization()[0]) for head in self.graph.heads)
        references, worst = [], 0.0
        for path in pictures:
            picture = read_picture(path)
            trained = [head.numpy() for head in self.network(normalized(fit(picture, spec), spec)[None])]
            preprocessor.write(picture, codes)
            engine.infer([codes], outputs)
            worst = max(worst, *compare(trained, outputs, steps))
            if worst > GOLDEN_LIMIT:
                raise DataError(
                    f"{self.artefact}: on {path} it differs from the trained network by {worst:.1f} steps on "
                    f"average (at most {GOLDEN_LIMIT:g} are allowed); it is not what was trained"
                )
            references.append(tuple(trained))
        engine.close()
        return Golden(tuple(references), steps), round(max(1.0, worst * GOLDEN_MARGIN), 1)

    def outputs(self) -> tuple[OutputSpec, ...]:
        """Return the roles of the artefact's outputs."""
        return tuple(_output_spec(head, self.graph) for head in self.graph.heads)

    def recipe_record(self) -> dict[str, Any]:
        """Return what made the artefact, for the manifest."""
        losses = "self-distillation and labels" if self.recipe.supervised_weight else "self-distillation"
        return {
            **asdict(self.recipe),
            "method": f"{losses}, learned scales and zero points, straight-through rounding",
            "start": f"{PTQ_METHODS[-1]} calibration on {len(self.source.calibration)} pictures",
            "pictures": len(self.source.pictures),
            "labelled_pictures": len(self.source.labels),
            "pictures_sha256": pictures_hash(self.source.pictures),
            "model_sha256": hashlib.sha256(self.source.model.read_bytes()).hexdigest(),
            "edgeagent": __version__,
            "torch": torch.__version__,
            "machine": platform.machine(),
        }

    def _grid(self, head: Head) -> ActivationGrid:
        return cast(ActivationGrid, self.network.grids[self.network.plan.of[head.tensor]])

    def _check_input(self) -> None:
        spec, (_, _, height, width) = self.source.description.input, self.graph.input_shape
        if (spec.width, spec.height) != (width, height):
            raise DataError(
                f"{self.source.model}: takes pictures of {width}x{height}, its description says "
                f"{spec.width}x{spec.height}; correct the description"
            )


def _output_spec(head: Head, graph: Graph) -> OutputSpec:
    channels, stride = head.shape[1], graph.input_shape[2] // head.shape[2]
    if not head.logits:
        return OutputSpec(name=head.tensor, role="box", stride=stride)
    return OutputSpec(name=head.tensor, role="objectness" if channels == 1 else "classes", stride=stride)
