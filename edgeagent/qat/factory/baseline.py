"""Baseline: the best quantization without training, which training has to exceed or may be replaced by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from torch import Tensor

from edgeagent.bundle.manifest import InputSpec
from edgeagent.qat.export.exports import export
from edgeagent.qat.factory.accuracy_meter import AccuracyMeter, ModelVersion
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.grid.planning import pixel_grid, plan_grids
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.network import Network
from edgeagent.qat.pictures.fitted import Fitted
from edgeagent.qat.ptq.search import candidates
from edgeagent.qat.training.processes import Processes


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


def share_baseline(baseline: PtqBaseline | None, processes: Processes, spec: InputSpec) -> PtqBaseline | None:
    """Return the baseline of the first process, in all processes.

    Args:
        baseline: baseline that the first process found; None without a search.
        processes: processes of the run.
        spec: input of the model.
    """
    if processes.size == 1:
        return baseline
    given = None if baseline is None else _content(baseline)
    content = processes.same(given)
    if processes.first or content is None:
        return baseline
    network = Network(content.graph, plan_grids(content.graph, spec, "affine"))
    network.load_state_dict(content.state)
    for grid, learned in zip(network.grids, content.learned, strict=True):
        cast(ActivationGrid, grid).zero_point.requires_grad_(learned)
    network.set_mode("quantize")
    return PtqBaseline(content.name, network, content.error, content.map50_95)


@dataclass(frozen=True)
class _Content:
    """What a baseline consists of, without the modules of its network."""

    name: str
    graph: Graph
    state: dict[str, Tensor]
    learned: list[bool]
    error: float
    map50_95: float | None


def _content(baseline: PtqBaseline) -> _Content:
    network = baseline.network
    learned = [cast(ActivationGrid, grid).zero_point.requires_grad for grid in network.grids]
    state = dict(network.state_dict())
    return _Content(baseline.name, network.graph, state, learned, baseline.error, baseline.map50_95)


def is_within_tolerance(original: float | None, quantized: float | None, tolerance: float) -> bool:
    """Return whether quantization loses no more mAP50-95 than the tolerance.

    The answer is False without labelled pictures, and for a float model of mAP 0, which allows no comparison.
    """
    if not original or quantized is None:
        return False
    return original - quantized <= tolerance
