"""Baseline: the best quantization without training, which training has to exceed or may be replaced by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from torch import Tensor
from torch.utils.data import DataLoader

from edgeagent.bundle.manifest import InputSpec, Measurement
from edgeagent.qat.core.codes import GridKind
from edgeagent.qat.export.exports import ONNX_FORMATS, export
from edgeagent.qat.factory.accuracy_meter import AccuracyMeter, ModelVersion, is_meaningful
from edgeagent.qat.factory.progress import Reporter
from edgeagent.qat.factory.ptq_cache import PtqCache
from edgeagent.qat.factory.search_inputs import SearchInputs
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.grid.planning import plan_grids
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.network import Network
from edgeagent.qat.pictures.finding import evenly_spread
from edgeagent.qat.pictures.fitted import Fitted
from edgeagent.qat.ptq.domain import width_ratio
from edgeagent.qat.ptq.noise import LayerNoise, measure_noise
from edgeagent.qat.ptq.quantizer import PtqCandidate
from edgeagent.qat.ptq.recipe import PLAIN, Effort, PtqRecipe, most_recipes
from edgeagent.qat.ptq.search import candidates
from edgeagent.qat.training.processes import Processes

NOISE_PICTURES = 4
COMPARED_PICTURES = 16


@dataclass(frozen=True)
class PtqBaseline:
    """Candidate of post-training quantization.

    Attributes:
        recipe: method.
        network: quantized network.
        error: distillation loss against the float model on held-out pictures.
        accuracy: in ONNX Runtime; None without labelled pictures.
    """

    recipe: PtqRecipe
    network: Network
    error: float
    accuracy: float | None

    @property
    def name(self) -> str:
        """Name of the recipe."""
        return self.recipe.name

    def describe(self, meter: AccuracyMeter) -> str:
        """Return a line of text for people; the meter has measured the float model."""
        original, title = meter.original, meter.measure.title
        if self.accuracy is None or not original:
            return f"{self.name}: output error {self.error:.3f}"
        return f"{self.name}: {title} {self.accuracy:.3f}, {original - self.accuracy:.3f} less than float"


def nearest_to_float(found: Sequence[PtqBaseline], float_accuracy: float) -> PtqBaseline:
    """Return the candidate of highest accuracy; of those that lose nothing, that of least output error.

    What a rounded network gains over its float model is chance on these pictures, and counts as no loss.

    Args:
        found: candidates.
        float_accuracy: of the float model on the same pictures; 0 where only the output error counts.
    """
    return max(found, key=lambda one: (min(one.accuracy or 0.0, float_accuracy), -one.error))


class BaselineSearch:
    """Search for the best quantization without training; results of earlier runs are used again.

    Args:
        inputs: graph, pictures and kind of grid.
        meter: measurement of each candidate in its engine.
        cache: results of earlier runs.
    """

    def __init__(self, inputs: SearchInputs, meter: AccuracyMeter, cache: PtqCache) -> None:
        self._inputs, self._meter, self._cache = inputs, meter, cache
        self._quantizer = inputs.quantizer()
        self._earlier: dict[PtqRecipe, Measurement | None] = {}

    def run(self, effort: Effort, reporter: Reporter) -> PtqBaseline:
        """Return the best candidate (:func:`nearest_to_float`).

        Output error decides without labelled pictures, and where the float model is no better than chance.

        Args:
            effort: which candidates are tried.
            reporter: receiver of progress, and of one line for each candidate.
        """
        found = list[PtqBaseline]()
        equalizable = effort != "none" and self._quantizer.equalizable
        total = most_recipes(effort, equalizable)
        with reporter.stage("calibrating without training", total) as report:
            for candidate in candidates(self._quantize, effort, equalizable):
                found.append(self._measure(candidate))
                earlier = candidate.recipe in self._earlier
                reporter.message(f"  {found[-1].describe(self._meter)}{' (earlier run)' if earlier else ''}")
                (report.resumed if earlier else report)(len(found))
            report(total)
        return self._best(found)

    def _best(self, found: Sequence[PtqBaseline]) -> PtqBaseline:
        float_accuracy = (self._meter.original or 0.0) if self._meter.meaningful else 0.0
        return nearest_to_float(found, float_accuracy)

    def calibrate(self, recipe: PtqRecipe) -> PtqBaseline:
        """Return the better candidate of a recipe with and without its correction."""
        recipes = dict.fromkeys((recipe.uncorrected, recipe))
        return self._best([self._measure(self._quantize(one)) for one in recipes])

    def noise(self, baseline: PtqBaseline) -> list[LayerNoise]:
        """Return the noise of each layer of a baseline that this search has found."""
        original = self._quantizer.start(baseline.recipe)
        pictures = self._batches(self._inputs.calibration, NOISE_PICTURES)
        return measure_noise(baseline.network, original, pictures)

    def width_ratio(self, pictures: Sequence[Path]) -> float:
        """Return how much wider the activations of pictures are than those of the calibration pictures."""
        network = self._quantizer.start(PtqRecipe(PLAIN))
        some = (self._batches(one, COMPARED_PICTURES) for one in (self._inputs.calibration, pictures))
        return width_ratio(network, *some)

    def _batches(self, pictures: Sequence[Path], count: int) -> DataLoader[Tensor]:
        return DataLoader(Fitted(evenly_spread(pictures, count), self._inputs.spec), batch_size=1)

    def _quantize(self, recipe: PtqRecipe) -> PtqCandidate:
        earlier = self._cache.load(recipe, self._quantizer)
        if earlier is None:
            candidate = self._quantizer.quantize(recipe)
            self._cache.save(candidate, self._quantizer)
            return candidate
        self._earlier[recipe] = earlier.measurement
        self._quantizer.add(earlier.candidate)
        return earlier.candidate

    def _measure(self, candidate: PtqCandidate) -> PtqBaseline:
        row = self._earlier.get(candidate.recipe)
        if row is not None:
            self._meter.measurements.append(row)
        elif self._meter.possible:
            kind = self._inputs.kind
            artefact = export(candidate.network, self._cache.folder(candidate.recipe), ONNX_FORMATS[kind])
            method = candidate.name if kind == "affine" else f"{candidate.name}, {kind} grid"
            row = self._meter.artefact(artefact, ModelVersion("ptq", method), "onnxruntime")
            self._cache.save(candidate, self._quantizer, row)
        score = None if row is None else row.accuracy
        return PtqBaseline(candidate.recipe, candidate.network, candidate.error, score)


def share_baseline(baseline: PtqBaseline | None, processes: Processes, spec: InputSpec) -> PtqBaseline:
    """Return the baseline of the first process, in all processes.

    Args:
        baseline: baseline that the first process found; None in the others.
        processes: processes of the run.
        spec: input of the model.

    Raises:
        ValueError: the first process has none.
    """
    content = None
    if processes.size > 1:
        content = processes.same(None if baseline is None else _content(baseline))
    if baseline is not None:
        return baseline
    if content is None:
        raise ValueError("the first process has no baseline")
    network = Network(content.graph, plan_grids(content.graph, spec, content.kind))
    network.load_state_dict(content.state)
    for grid, learned in zip(network.grids, content.learned, strict=True):
        cast(ActivationGrid, grid).zero_point.requires_grad_(learned)
    network.set_mode("quantize")
    return PtqBaseline(content.recipe, network, content.error, content.accuracy)


@dataclass(frozen=True)
class _Content:
    """What a baseline consists of, without the modules of its network."""

    recipe: PtqRecipe
    graph: Graph
    kind: GridKind
    state: dict[str, Tensor]
    learned: list[bool]
    error: float
    accuracy: float | None


def _content(baseline: PtqBaseline) -> _Content:
    network = baseline.network
    learned = [cast(ActivationGrid, grid).zero_point.requires_grad for grid in network.grids]
    state = dict(network.state_dict())
    graph, kind = network.graph, network.plan.kind
    return _Content(baseline.recipe, graph, kind, state, learned, baseline.error, baseline.accuracy)


def is_within_tolerance(
    original: float | None, quantized: float | None, tolerance: float, by_chance: float = 0.0
) -> bool:
    """Return whether quantization loses no more accuracy than the tolerance.

    The answer is False without labelled pictures, and for a float model that is no better than chance, which
    allows no comparison.
    """
    if original is None or quantized is None or not is_meaningful(original, by_chance):
        return False
    return original - quantized <= tolerance
