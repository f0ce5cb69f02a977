"""Effect of single settings of a training on accuracy: each alone against the base recipe, with more seeds.

::

    python benchmarks/training_levers.py --model yolox_nano.onnx --describe models/yolox-nano.yaml \\
        --images unlabelled/ --images vehicles/ --val-images images/ --val-labels labels/ \\
        --work levers.work --results levers.jsonl --steps 40 --seed 0 1

All runs start from the same quantization without training (``--start``) and have the same number of steps.
The trained network is exported and measured in an engine, on labelled pictures that are neither trained nor
calibrated on. Each finished run is one line of ``--results``; a later call with the same file continues the
table, and runs that are in it are not repeated. ``--table`` prints the table of the file and runs nothing.

Differences are those of the mean over the seeds that both the lever and the base have, with the 95 % interval
of the paired bootstrap over pictures. The interval has the noise of the pictures, not that of the seeds: the
differences of the single seeds stand beside it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lever_results import BASE, Results, Run

from edgeagent.accuracy.coco_map import mean_average_precision
from edgeagent.accuracy.evaluation import IOU_THRESHOLD, detect_all
from edgeagent.accuracy.map_interval import MatchedDetections
from edgeagent.bundle.model_description import describe_model
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.detection.detector import Detector, load_detector
from edgeagent.errors import EdgeagentError
from edgeagent.qat.export.exports import Exported, export, export_reference
from edgeagent.qat.factory.job import TrainingSource
from edgeagent.qat.factory.ptq_cache import PtqCache, search_digest
from edgeagent.qat.factory.quantize import CALIBRATION_PICTURES
from edgeagent.qat.factory.run import TrainingRun
from edgeagent.qat.factory.search_inputs import SearchInputs
from edgeagent.qat.graph.trainable import read_trainable_graph
from edgeagent.qat.network.network import Network
from edgeagent.qat.pictures.finding import evenly_spread, find_pictures, pictures_hash
from edgeagent.qat.ptq.recipe import PtqRecipe
from edgeagent.qat.training.execution import Execution
from edgeagent.qat.training.recipe import Recipe
from edgeagent.qat.training.trainer import TrainingProgress

FLOAT, START = "float", "start"
STARTS = {
    "weighted + weights": PtqRecipe("weighted", correction="weights"),
    "weighted + equalized + weights": PtqRecipe("weighted", True, "weights"),
    "weighted + equalized + bias": PtqRecipe("weighted", True, "bias"),
    "percentile": PtqRecipe("percentile"),
}


@dataclass(frozen=True)
class Lever:
    """What differs from the base recipe.

    Attributes:
        settings: values of :class:`edgeagent.qat.training.recipe.Recipe` by attribute.
        start: quantization that training starts from; empty for that of the base.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    start: str = ""


LEVERS = {
    BASE: Lever(),
    "percentile start": Lever(start="percentile"),
    "no average": Lever({"average": 0.0}),
    "frozen scales": Lever({"scales": "frozen"}),
    "gentle scales": Lever({"scale_rate": 1.0, "zero_point_rate": 20.0}),
    "scales frozen after half": Lever({"freeze_after": 0.5}),
    "no feature loss": Lever({"feature_weight": 0.0}),
    "a third of the rate": Lever({"weight_rate": 1e-4}),
    "twice the rate": Lever({"weight_rate": 6e-4}),
    "no gradient limit": Lever({"clip": 0.0}),
    "no mosaics": Lever({"mosaic": 0.0}),
    "mosaics only": Lever({"mosaic": 1.0, "mosaic_until": 1.0}),
    "bfloat16": Lever({"precision": "bfloat16"}),
    "difference of bins": Lever({"box_loss": "difference"}),
}


class Levers:
    """Trainings from one start, each measured in an engine.

    Args:
        arguments: command line.
        source: model and pictures.
        data: labelled pictures.
        results: finished runs.
    """

    def __init__(
        self, arguments: argparse.Namespace, source: TrainingSource, data: LabelledPictures, results: Results
    ) -> None:
        self._arguments, self._source, self._data, self._results = arguments, source, data, results
        self._graph = read_trainable_graph(source.model, source.description.heads, "detection")
        inputs = SearchInputs(self._graph, source.description.input, source.calibration)
        self._inputs, self._quantizer = inputs, inputs.quantizer()
        self._cache = PtqCache(arguments.work / "ptq", search_digest(inputs), "", _tell)

    def run(self, levers: Sequence[str], seeds: Sequence[int]) -> None:
        """Run what is not in the results: first all levers with the first seed."""
        if (FLOAT, None) not in self._results.runs:
            with tempfile.TemporaryDirectory() as folder:
                self._add(FLOAT, None, export_reference(self._graph, Path(folder)))
        if (START, None) not in self._results.runs:
            self._add(START, None, self._exported(self._start(self._arguments.start)))
        for seed in seeds:
            for lever in levers:
                if (lever, seed) not in self._results.runs:
                    self._train(lever, seed)

    def _train(self, lever: str, seed: int) -> None:
        chosen, arguments = LEVERS[lever], self._arguments
        common = {"steps": arguments.steps, "batch": arguments.batch, "seed": seed}
        recipe = Recipe(**{**common, "check_every": arguments.steps, **chosen.settings})
        start = self._start(chosen.start or arguments.start)
        work = arguments.work / f"{lever} {seed}".replace(" ", "-")
        execution = Execution(work, compiled=not arguments.no_compile, resume=True)
        run = TrainingRun(self._source, start.graph, recipe, self._inputs.plan(start.graph), execution)
        run.calibrate(pictures=self._source.calibration[:1])  # which zero points are learned
        run.network.copy_from(start)
        before = time.process_time()
        run.train(self._graph, lambda progress: _report(lever, seed, progress))
        seconds = time.process_time() - before
        held_out = run.history[-1][2] if run.history else None
        self._add(lever, seed, self._exported(run.network, work), held_out, seconds)

    def _start(self, name: str) -> Network:
        recipe = STARTS[name]
        earlier = self._cache.load(recipe, self._quantizer)
        if earlier is not None:
            return earlier.candidate.network
        _tell(f"quantizing without training: {recipe.name}")
        candidate = self._quantizer.quantize(recipe)
        self._cache.save(candidate, self._quantizer)
        return candidate.network

    def _exported(self, network: Network, folder: Path | None = None) -> Exported:
        folder = folder or self._arguments.work / START
        folder.mkdir(parents=True, exist_ok=True)
        return export(network, folder, "tflite" if self._arguments.engine == "tflite" else "onnx")

    def _add(
        self,
        lever: str,
        seed: int | None,
        artefact: Exported,
        held_out: float | None = None,
        seconds: float | None = None,
    ) -> None:
        found = detect_all(self._detector(artefact), self._data)
        value = mean_average_precision(found.truths, found.detections, found.labels).map50_95
        draws = [round(float(draw), 5) for draw in MatchedDetections(found).resampled()]
        self._results.add(Run(lever, seed, self._results.key, value, held_out, seconds, draws))
        _tell(f"{lever}, seed {seed}: mAP50-95 {value:.3f}")

    def _detector(self, artefact: Exported) -> Detector:
        engine = self._arguments.engine
        return load_detector(
            self._source.description,
            artefact.path,
            artefact.format,
            artefact.outputs,
            threads=torch.get_num_threads(),
            iou_threshold=IOU_THRESHOLD,
            engine="auto" if engine == "tflite" else engine,
        )


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _report(lever: str, seed: int, progress: TrainingProgress) -> None:
    if progress.step % 10 == 0 or progress.held_out is not None:
        loss = "" if progress.loss is None else f" loss {progress.loss:.3f}"
        held_out = "" if progress.held_out is None else f" held out {progress.held_out:.3f}"
        _tell(f"{lever}, seed {seed}: step {progress.step} of {progress.steps}{loss}{held_out}")


def key_of(arguments: argparse.Namespace, source: TrainingSource, data: LabelledPictures) -> str:
    """Return what runs of one table have in common."""
    parts = {
        "model": source.model.name,
        "start": arguments.start,
        "steps": arguments.steps,
        "batch": arguments.batch,
        "engine": arguments.engine,
        "trained on": f"{len(source.pictures)} pictures, {pictures_hash(source.calibration)[:12]}",
        "measured on": f"{len(data)} pictures, {data.data_hash()[:12]}",
    }
    return ", ".join(f"{name} {value}" for name, value in parts.items())


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="float ONNX detector")
    parser.add_argument("--describe", type=Path, required=True, help="its description")
    parser.add_argument(
        "--images", type=Path, action="append", required=True, help="pictures to train on; repeat for more"
    )
    parser.add_argument("--val-images", type=Path, required=True, help="labelled pictures to measure on")
    parser.add_argument("--val-labels", type=Path, required=True, help="their YOLO labels")
    parser.add_argument("--results", type=Path, required=True, help="file with a line for each finished run")
    parser.add_argument("--work", type=Path, required=True, help="folder of calibrations and checkpoints")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--lever", nargs="+", choices=tuple(LEVERS), default=list(LEVERS))
    parser.add_argument("--start", choices=tuple(STARTS), default="weighted + weights")
    parser.add_argument("--engine", choices=("onnxruntime", "tflite"), default="onnxruntime")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--table", action="store_true", help="print the table and run nothing")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    try:
        data = LabelledPictures.find(arguments.val_images, arguments.val_labels)
        pictures = find_pictures(arguments.images)
        measured = {path.read_bytes() for path in data.pictures}
        if any(path.read_bytes() in measured for path in dict.fromkeys(pictures)):
            parser.error("--images and --val-images have pictures in common; train on others")
        calibration = evenly_spread(pictures, CALIBRATION_PICTURES)
        description = describe_model(arguments.model, arguments.describe)
        source = TrainingSource(arguments.model, description, pictures, calibration)
        results = Results(arguments.results, key_of(arguments, source, data))
        if not arguments.table:
            Levers(arguments, source, data, results).run(arguments.lever, arguments.seed)
    except EdgeagentError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{results.key}\n\n{results.table()}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
