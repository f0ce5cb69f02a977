"""Outlook of a quantization without training: what training would add, from measurements only."""

from __future__ import annotations

import shutil
import statistics
import time
from dataclasses import replace
from itertools import pairwise

from edgeagent.bundle.task import MEASURES, Measure
from edgeagent.qat.factory.baseline import PtqBaseline
from edgeagent.qat.factory.job import TrainingSource
from edgeagent.qat.factory.run import TrainingRun
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.grid.planning import plan_grids
from edgeagent.qat.pictures.finding import evenly_spread
from edgeagent.qat.training.execution import Execution
from edgeagent.qat.training.recipe import Recipe
from edgeagent.qat.training.trainer import TrainingProgress

TIMED_STEPS = 4
EXAMPLE = "on YOLOX-nano training won back two thirds of a loss of .018 (models/coco-nano/card.md)"
"""From the evidence of coco-nano: .322 in float, .304 calibrated, .316 trained in ONNX Runtime."""


def seconds_of_step(source: TrainingSource, graph: Graph, recipe: Recipe, execution: Execution) -> float:
    """Return the median time of a training step in this process, measured on a few steps.

    The first step, which waits for pictures and a compiler, does not count. No file is left.

    Args:
        source: pictures and description of the model; a few pictures are used.
        graph: float graph.
        recipe: settings of the training.
        execution: where a training would run.
    """
    some = replace(source, pictures=evenly_spread(source.pictures, 4 * recipe.batch))
    # one step more, whose time has the check on held-out pictures in it
    short = replace(recipe, steps=TIMED_STEPS + 2, check_every=TIMED_STEPS + 2)
    folder = Execution(execution.work / "timing", compiled=execution.compiled)
    ends: list[float] = []

    def note(state: TrainingProgress) -> None:
        if state.step <= TIMED_STEPS + 1:
            ends.append(time.monotonic())

    run = TrainingRun(some, graph, short, plan_grids(graph, source.description.input, "affine"), folder)
    run.calibrate(pictures=evenly_spread(source.calibration, 4))
    try:
        run.train(graph, note)
    finally:
        shutil.rmtree(folder.work, ignore_errors=True)
    return statistics.median(after - before for before, after in pairwise(ends))


def describe_outlook(
    baseline: PtqBaseline,
    original: float | None,
    tolerance: float,
    recipe: Recipe,
    step: float,
    measure: Measure = MEASURES["detection"],
) -> list[str]:
    """Return lines of text for people.

    Args:
        baseline: quantization without training.
        original: accuracy of the float model; None where it says nothing.
        tolerance: accuracy that calibration may lose without a training.
        recipe: settings of the training.
        step: seconds of a step of it.
        measure: measure of the task.
    """
    duration = _duration(recipe.steps * step)
    training = (
        f"training: {recipe.steps} steps take about {duration} here ({step:.2g} s each, measured); the same "
        "command without --quick, with --replace, trains and keeps the better model"
    )
    if original is None or baseline.accuracy is None:
        return [
            f"no training: the output error is {baseline.error:.3f}; what that costs in accuracy is not "
            "known without labelled pictures (--val-dataset, or --val-images and --val-labels)",
            training,
        ]
    loss = original - baseline.accuracy
    if loss <= tolerance:
        return [
            f"no training: calibration loses {loss:.3f} {measure.title}, within the tolerance of "
            f"{tolerance:g}; training is not expected to add anything that these pictures could show"
        ]
    return [
        f"no training: calibration loses {loss:.3f} {measure.title}; {EXAMPLE}, other models may differ",
        training,
    ]


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
