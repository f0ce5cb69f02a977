"""Calibrations: the best quantization without training on each kind of grid, in all processes.

The recipes are searched on the first kind of grid; the others are calibrated with the one that won, with and
without its correction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeagent.qat.core.codes import GridKind
from edgeagent.qat.factory.accuracy_meter import AccuracyMeter
from edgeagent.qat.factory.baseline import BaselineSearch, PtqBaseline, share_baseline
from edgeagent.qat.factory.calibration_remarks import describe_domain, describe_weak_layers
from edgeagent.qat.factory.job import QuantizationJob
from edgeagent.qat.factory.progress import Reporter
from edgeagent.qat.factory.ptq_cache import FOLDERS, PtqCache, search_digest
from edgeagent.qat.factory.search_inputs import SearchInputs
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.recipe import PtqRecipe
from edgeagent.qat.training.execution import Execution


class Calibrations:
    """Calibration of the networks of a job.

    Args:
        job: model, pictures and recipe.
        execution: work folder and processes; only the first process calibrates.
        meter: measurement of accuracy.
        reporter: receiver of progress.
    """

    def __init__(
        self, job: QuantizationJob, execution: Execution, meter: AccuracyMeter, reporter: Reporter
    ) -> None:
        self._source, self._effort = job.source, job.recipe.effort
        self._execution, self._processes = execution, execution.processes
        self._meter, self._reporter = meter, reporter

    def find(self, graph: Graph, kinds: Sequence[GridKind]) -> Mapping[GridKind, PtqBaseline]:
        """Return the best calibration of a graph on each kind of grid.

        Raises:
            DataError: there are fewer than four calibration pictures, or a tensor is not finite.
        """
        found: dict[GridKind, PtqBaseline] = {}
        for kind in kinds if self._processes.first else ():
            search = self._search(graph, kind)
            if not found:
                self._reporter.message("without training:")
                found[kind] = best = search.run(self._effort, self._reporter)
                self._reporter.message(f"best without training: {best.describe(self._meter)}")
                self._remark(search, best)
            else:
                recipe = found[kinds[0]].recipe
                with self._reporter.stage(f"calibrating, {kind} grid"):
                    found[kind] = search.calibrate(recipe)
                self._reporter.message(f"{kind} grid: {found[kind].describe(self._meter)}")
        spec = self._source.description.input
        return {kind: share_baseline(found.get(kind), self._processes, spec) for kind in kinds}

    def calibrate_trained(self, graph: Graph, kind: GridKind, recipe: PtqRecipe) -> Network:
        """Return the network of a graph with trained weights, calibrated with a recipe on a kind of grid."""
        found = None
        if self._processes.first:
            with self._reporter.stage(f"calibrating the trained weights, {kind} grid"):
                candidate = self._inputs(graph, kind).quantizer().quantize(recipe)
            found = PtqBaseline(recipe, candidate.network, candidate.error, None)
        return share_baseline(found, self._processes, self._source.description.input).network

    def _search(self, graph: Graph, kind: GridKind) -> BaselineSearch:
        inputs, folder = self._inputs(graph, kind), self._execution.work / FOLDERS[kind]
        cache = PtqCache(folder, search_digest(inputs), self._meter.digest(), self._reporter.message)
        return BaselineSearch(inputs, self._meter, cache)

    def _inputs(self, graph: Graph, kind: GridKind) -> SearchInputs:
        return SearchInputs(graph, self._source.description.input, self._source.calibration, kind)

    def _remark(self, search: BaselineSearch, best: PtqBaseline) -> None:
        with self._reporter.stage("checking the calibration"):
            remarks = describe_weak_layers(search.noise(best), best.name, self._effort)
            if self._meter.pictures:
                remarks += describe_domain(search.width_ratio(self._meter.pictures))
        for line in remarks:
            self._reporter.message(line)
