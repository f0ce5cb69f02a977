"""Baseline: the best quantization without training, which training has to exceed or may be replaced by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeagent.bundle.manifest import InputSpec
from edgeagent.qat.export.exports import export
from edgeagent.qat.factory.accuracy_meter import AccuracyMeter, ModelVersion
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.grid.planning import pixel_grid
from edgeagent.qat.network.network import Network
from edgeagent.qat.pictures.fitted import Fitted
from edgeagent.qat.ptq.search import candidates


@dataclass(frozen=True)
class PtqBaseline:
    """Candidate of post-training quantization.

    Attributes:
        name: method.
        network: quantized network.
        error: distillation loss against the float model on held-out pictures.
        map50_95: accuracy in ONNX Runtime; None without labelled pictures.
    """

    name: str
    network: Network
    error: float
    map50_95: float | None

    def describe(self, original: float | None) -> str:
        """Return a line of text for people; ``original`` is the float model's mAP50-95."""
        if self.map50_95 is None or not original:
            return f"{self.name}: output error {self.error:.3f}"
        return f"{self.name}: mAP50-95 {self.map50_95:.3f}, {original - self.map50_95:.3f} less than float"


def find_baseline(
    graph: Graph,
    spec: InputSpec,
    calibration: Sequence[Path],
    meter: AccuracyMeter,
    work: Path,
    report: Callable[[PtqBaseline], None] = lambda one: None,
) -> PtqBaseline:
    """Return the best candidate: of highest mAP50-95 or, without labelled pictures, of least output error.

    Args:
        graph: float graph.
        spec: input of the model.
        calibration: pictures to calibrate on.
        meter: measurement of each candidate in its engine.
        work: folder of intermediate artefacts.
        report: called with each candidate.
    """
    found = []
    for candidate in candidates(graph, pixel_grid(spec.mean, spec.std), Fitted(calibration, spec)):
        folder = work / "ptq" / candidate.name.replace(" + ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        row = None
        if meter.possible:
            row = meter.artefact(
                export(candidate.network, folder, "onnx"), ModelVersion("ptq", candidate.name)
            )
        score = None if row is None else row.map50_95
        found.append(PtqBaseline(candidate.name, candidate.network, candidate.error, score))
        report(found[-1])
    return max(found, key=lambda one: (one.map50_95 or 0.0, -one.error))


def is_within_tolerance(original: float | None, quantized: float | None, tolerance: float) -> bool:
    """Return whether quantization loses no more mAP50-95 than the tolerance.

    The answer is False without labelled pictures, and for a float model of mAP 0, which allows no comparison.
    """
    if not original or quantized is None:
        return False
    return original - quantized <= tolerance
