"""The best quantization without training: what training has to beat, and what makes it needless."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeagent.bundle.manifest import InputSpec
from edgeagent.qat.export.exports import export
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.grid.input_grid import pixel_grid
from edgeagent.qat.measuring import Measuring
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.search import candidates
from edgeagent.qat.training.pictures import Fitted


@dataclass(frozen=True)
class PtqBaseline:
    """One candidate of post-training quantization.

    Attributes:
        name: how it was quantized.
        network: quantized so.
        error: distillation loss against the float model on held-out pictures.
        map50_95: through ONNX Runtime; None where nothing is labelled.
    """

    name: str
    network: Network
    error: float
    map50_95: float | None

    def describe(self, original: float | None) -> str:
        """Return a line for people; ``original`` is the float model's mAP50-95."""
        if self.map50_95 is None or not original:
            return f"{self.name}: output error {self.error:.3f}"
        return f"{self.name}: mAP50-95 {self.map50_95:.3f}, {original - self.map50_95:.3f} less than float"


def find_baseline(
    graph: Graph,
    spec: InputSpec,
    calibration: Sequence[Path],
    work: Path,
    measuring: Measuring,
    report: Callable[[PtqBaseline], None] = lambda one: None,
) -> PtqBaseline:
    """Try all candidates, measure each through its engine, report it, and return the best.

    Without labelled pictures the least output error is the best.
    """
    found = []
    for candidate in candidates(graph, pixel_grid(spec.mean, spec.std), Fitted(calibration, spec)):
        folder = work / "ptq" / candidate.name.replace(" + ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        row = None
        if measuring.possible:
            row = measuring.artefact(export(candidate.network, folder, "onnx"), "ptq", candidate.name)
        score = None if row is None else row.map50_95
        found.append(PtqBaseline(candidate.name, candidate.network, candidate.error, score))
        report(found[-1])
    return max(found, key=lambda one: (one.map50_95 or 0.0, -one.error))


def loses_little(original: float | None, quantized: float | None, tolerance: float) -> bool:
    """Return whether quantization loses no more mAP than is tolerated.

    A float model that finds nothing of what is labelled tells nothing, nor do pictures without labels.
    """
    if not original or quantized is None:
        return False
    return original - quantized <= tolerance
