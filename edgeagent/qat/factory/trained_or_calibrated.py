"""Comparison of a trained network with the best calibrated one, so that training never makes a bundle worse.

With labelled pictures, both are measured in ONNX Runtime, and a network as good as the float model is not
behind; without, by their output error against the float model on pictures that were not trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import DataLoader

from edgeagent.bundle.manifest import InputSpec
from edgeagent.qat.distillation.held_out import HeldOut
from edgeagent.qat.export.exports import ONNX_FORMATS, export
from edgeagent.qat.factory.accuracy_meter import AccuracyMeter, ModelVersion
from edgeagent.qat.factory.baseline import PtqBaseline
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.grid.planning import plan_grids
from edgeagent.qat.network.network import Network
from edgeagent.qat.pictures.fitted import Fitted

BATCH = 8


def accuracy_lost_by_training(
    trained: Network, baseline: PtqBaseline, meter: AccuracyMeter, version: ModelVersion, folder: Path
) -> str:
    """Return how far a trained network is behind a calibrated one in accuracy; empty where it is not.

    The result of a network that is behind is recorded in the meter.

    Args:
        trained: trained network.
        baseline: calibrated network, with its accuracy.
        meter: measurement of the trained network, with labelled pictures.
        version: version of the trained network.
        folder: folder of the intermediate artefact; created if missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    artefact = export(trained, folder, ONNX_FORMATS[trained.plan.kind])
    row = meter.artefact(artefact, version, "onnxruntime", keep=False)
    if row is None or baseline.accuracy is None:
        return ""
    if row.accuracy >= min(baseline.accuracy, meter.original or baseline.accuracy):  # a gain is chance
        return ""
    meter.measurements.append(row.model_copy(update={"artefact": None}))
    return f"{row.measure.title} {row.accuracy:.3f}, {baseline.accuracy:.3f} with {baseline.name}"


def output_error_of_training(
    trained: Network, baseline: PtqBaseline, teacher: Graph, spec: InputSpec, pictures: Sequence[Path]
) -> str:
    """Return how much larger the output error of a trained network is; empty where it is not larger.

    Args:
        trained: trained network.
        baseline: calibrated network.
        teacher: float graph with the same heads.
        spec: input of both.
        pictures: pictures that were not trained on.
    """
    original = Network(teacher, plan_grids(teacher, spec, "affine"))
    original.set_mode("float")
    held_out = HeldOut(original, list(DataLoader(Fitted(pictures, spec), batch_size=BATCH)))
    trained.set_mode("quantize")
    after, before = held_out.loss(trained), held_out.loss(baseline.network)
    return f"output error {after:.3f}, {before:.3f} with {baseline.name}" if after > before else ""
