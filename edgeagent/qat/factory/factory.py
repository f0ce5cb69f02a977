"""Factory: the steps from a float model and pictures to exported artefacts.

::

    read graph, cut at its heads [-> replace activations, train in float]
        -> best quantization without training, on each kind of grid (evidence; sufficient if it loses little)
        -> train on affine grids from there; the better of both
        [-> train on symmetric grids for TensorRT, from the trained weights; the better of both]
        -> [partial grids for OpenVINO, with the weights and grids of the affine network]
        -> [choose layers that stay float, train further] -> export -> measure each artefact in its engines
        -> [the same training with other seeds, measured]

All intermediate files are in a work folder, so that a run can be resumed and inspected.
:mod:`edgeagent.qat.factory.bundling` compares the artefacts with the networks and writes the bundle.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from edgeagent.engines.loading import measuring_engines
from edgeagent.errors import DataError
from edgeagent.qat.core.codes import GridKind
from edgeagent.qat.export.exports import FORMATS, export, export_reference
from edgeagent.qat.factory.accuracy_meter import AccuracyMeter, ModelVersion, QuantizationState
from edgeagent.qat.factory.baseline import PtqBaseline, is_within_tolerance
from edgeagent.qat.factory.calibration_remarks import describe_weak_model
from edgeagent.qat.factory.calibrations import Calibrations
from edgeagent.qat.factory.description_check import check_description
from edgeagent.qat.factory.job import QuantizationJob
from edgeagent.qat.factory.outlook import describe_outlook, seconds_of_step
from edgeagent.qat.factory.product import Product, SymmetricCalibration
from edgeagent.qat.factory.progress import Reporter
from edgeagent.qat.factory.ptq_cache import has_results
from edgeagent.qat.factory.run import TrainingRun
from edgeagent.qat.factory.selective import FloatNodeChoice, SelectiveQuantization, accuracy_check
from edgeagent.qat.factory.trained_or_calibrated import accuracy_lost_by_training, output_error_of_training
from edgeagent.qat.graph.activation_swap import swap_activations
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.heads import describe_cut
from edgeagent.qat.graph.trainable import read_trainable_graph
from edgeagent.qat.grid.planning import plan_grids
from edgeagent.qat.mixed.float_units import with_float_nodes
from edgeagent.qat.network.network import Network
from edgeagent.qat.network.partial_network import on_partial_grids
from edgeagent.qat.pictures.finding import hold_out
from edgeagent.qat.training.execution import Execution
from edgeagent.qat.training.recipe import Recipe


class Factory:
    """Production of the artefacts of a job.

    Args:
        job: model, pictures and recipe.
        execution: work folder, created if missing, and processes; only the first process measures and
            exports.
        meter: measurement of accuracy.
        reporter: receiver of progress.

    Raises:
        DataError: a run is to be resumed and there is neither a checkpoint nor a result of calibration.
    """

    def __init__(
        self, job: QuantizationJob, execution: Execution, meter: AccuracyMeter, reporter: Reporter
    ) -> None:
        self._source, self._recipe = job.source, job.recipe
        self._execution, self._processes = execution, execution.processes
        self._meter, self._reporter = meter, reporter
        self._calibrations = Calibrations(job, execution, meter, reporter)
        self._baselines: Mapping[GridKind, PtqBaseline] = {}
        started = any(execution.work.rglob(execution.checkpoint.name)) or has_results(execution.work)
        if execution.resume and not started:
            raise DataError(f"{execution.work}: no checkpoint to resume from; start without --resume")
        execution.work.mkdir(parents=True, exist_ok=True)

    def make(self) -> Product:
        """Run all steps.

        Raises:
            DataError: the model, pictures or recipe cannot be used, or an artefact does not compute what was
                trained.
        """
        product = self._float_model()
        if not self._calibration_is_enough(product):
            self._train(product)
        if any(FORMATS[name].kind == "partial" for name in self._recipe.formats):
            spec = self._source.description.input
            product.networks["partial"] = on_partial_grids(product.networks["affine"], spec)
        if self._processes.first:
            self._measure_layers(product)
        self._apply_float_nodes(product)
        if self._processes.first:
            self._export(product)
        for seed in self._recipe.seeds if product.state == "qat" and "affine" in product.networks else ():
            self._repeat(product, seed)
        if self._recipe.quick and self._processes.first:
            self._look_out(product)
        return product

    def _float_model(self) -> Product:
        """Read the model, replace its activations if the recipe asks for it, and measure it."""
        graph = read_trainable_graph(self._source.model, self._recipe.heads, self._source.description.task)
        source = self._source
        if self._processes.first:
            check_description(graph, source.model, source.description, source.calibration, self._reporter)
        for line in describe_cut(graph):
            self._reporter.message(line)
        self._reporter.message(self._source.describe())
        method = "as given"
        if self._recipe.activation:
            original, graph = graph, swap_activations(graph, self._recipe.activation)
            steps = self._recipe.activation_steps
            recipe = replace(self._recipe.training, steps=steps, scales="frozen")
            run = self._run(graph, recipe, "activation")
            with self._reporter.training(f"{self._recipe.activation} in float", steps) as report:
                run.train(original, report, mode="float")
            graph = run.network.trained_graph()
            method = f"{self._recipe.activation} for SiLU, {steps} steps"
        if self._processes.first:
            reference = export_reference(graph, self._execution.work)
            row = self._meter.artefact(reference, ModelVersion("float", method))
            if row is not None and not self._meter.meaningful:
                self._reporter.message(describe_weak_model(row.accuracy, row.measure))
        return Product(graph)

    def _calibration_is_enough(self, product: Product) -> bool:
        """Find the best quantization without training; use it if its loss is within the tolerance."""
        kinds, tolerance, meter = self._grid_kinds(), self._recipe.tolerance, self._meter
        self._baselines = baselines = self._calibrations.find(product.graph, kinds)
        product.start = baselines[kinds[0]].name
        enough = self._processes.same(
            all(
                is_within_tolerance(meter.original, baseline.accuracy, tolerance, meter.by_chance)
                for baseline in baselines.values()
            )
        )
        if enough and not self._recipe.quick:
            self._reporter.message(
                f"this is within the tolerance of {tolerance:g}: no training is needed "
                "(--tolerance -1 trains anyway)"
            )
        if not enough and not self._recipe.quick:
            return False
        product.state, product.method = "ptq", product.start
        product.networks |= {kind: self._calibrated(baseline) for kind, baseline in baselines.items()}
        if "symmetric" in baselines:
            product.symmetric = SymmetricCalibration(baselines["symmetric"].name)
        return True

    def _train(self, product: Product) -> None:
        """Train on each kind of grid, from the second on with the weights of the affine grids."""
        recipe = self._recipe.training
        product.method = f"{recipe.steps} steps of {recipe.batch} pictures"
        for kind in self._grid_kinds():
            if kind == "affine":
                run = self._started_run(self._baselines[kind].network, recipe, "")
                with self._reporter.training("training, affine grid", recipe.steps) as report:
                    run.train(product.graph, report)
                product.networks[kind], product.training = run.network, run.loss_curve()
                self._measure(product, kind)
                self._keep_better(product, kind)
            else:
                self._train_symmetric(product)

    def _train_symmetric(self, product: Product) -> None:
        """Train on symmetric grids from their calibration, with the trained weights if there are some."""
        kind: GridKind = "symmetric"
        baseline, affine = self._baselines[kind], product.networks.get("affine")
        if product.state == "ptq":
            product.networks[kind] = baseline.network
            product.symmetric = SymmetricCalibration(baseline.name)
            return
        start, folder, recipe = baseline.network, "", self._recipe.training
        if affine is not None:
            start = self._calibrations.calibrate_trained(affine.trained_graph(), kind, baseline.recipe)
            folder, recipe = kind, replace(recipe, steps=self._recipe.tensorrt_steps)
        run = self._started_run(start, recipe, folder)
        with self._reporter.training("training, symmetric grid", recipe.steps) as report:
            run.train(product.graph, report)
        product.networks[kind] = run.network
        if affine is None:
            product.training = run.loss_curve()
        self._measure(product, kind)
        self._keep_better(product, kind)

    def _started_run(self, start: Network, recipe: Recipe, folder: str) -> TrainingRun:
        """Return a run that starts from a calibrated network, on grids of the same kind."""
        run = self._run(start.graph, recipe, folder, start.plan.kind)
        run.calibrate()
        run.network.copy_from(start)
        return run

    def _measure(self, product: Product, kind: GridKind) -> None:
        if self._processes.first:
            network = product.networks[kind]
            network.set_mode("quantize")
            self._meter.network(network, self._version(product, kind))

    def _version(self, product: Product, kind: GridKind) -> ModelVersion:
        return ModelVersion("qat", f"{product.method}, {kind} grid", self._recipe.training.seed)

    def _keep_better(self, product: Product, kind: GridKind) -> None:
        """Replace the trained network by the calibrated one where that is better."""
        baseline, lost = self._baselines[kind], ""
        if self._recipe.keep == "trained":
            return
        if self._processes.first:
            trained, meter = product.networks[kind], self._meter
            with self._reporter.stage("comparing training with calibration"):
                if meter.meaningful:
                    version = self._version(product, kind)
                    folder = self._execution.work / "trained"
                    lost = accuracy_lost_by_training(trained, baseline, meter, version, folder)
                else:
                    _, held_out = hold_out(self._source.pictures)
                    pictures = held_out or self._source.calibration
                    spec = self._source.description.input
                    lost = output_error_of_training(trained, baseline, product.graph, spec, pictures)
        lost = self._processes.same(lost)
        if not lost:
            return
        self._reporter.message(
            f"training makes the model worse ({lost}): the calibrated model is kept; train with more steps "
            "or more pictures like those of the camera (--keep trained keeps the trained model anyway)"
        )
        product.networks[kind] = self._calibrated(baseline)
        if kind != self._grid_kinds()[0]:
            product.symmetric = SymmetricCalibration(baseline.name, lost)
            return
        product.not_kept = f"{product.method} gave {lost}"
        product.state, product.method, product.training = "ptq", baseline.name, []

    def _calibrated(self, baseline: PtqBaseline) -> Network:
        """Return the network of a baseline, on affine grids with the float nodes of the recipe."""
        network, nodes = baseline.network, frozenset(self._recipe.float_nodes)
        return with_float_nodes(network, nodes) if nodes and network.plan.kind == "affine" else network

    def _look_out(self, product: Product) -> None:
        """Tell what training would add."""
        recipe = self._recipe.training
        with self._reporter.stage("timing a training step"):
            step = seconds_of_step(self._source, product.graph, recipe, self._execution)
        baseline = self._baselines[self._grid_kinds()[0]]
        original = self._meter.original if self._meter.meaningful else None
        tolerance, measure = self._recipe.tolerance, self._meter.measure
        lines = describe_outlook(baseline, original, tolerance, recipe, step, measure)
        product.outlook = tuple(lines)

    def _measure_layers(self, product: Product) -> None:
        """Measure the sensitivity of layers and choose those that stay float, as the recipe says."""
        budget, network = self._recipe.budget, product.networks.get("affine")
        if network is None or not (budget or self._recipe.sensitivity):
            return
        _, held_out = hold_out(self._source.pictures)
        pictures = held_out or self._source.calibration
        spec = self._source.description.input
        layers = SelectiveQuantization(network, product.graph, spec, pictures, self._reporter)
        product.sensitivity = layers.evidence()
        if budget:
            folder = self._execution.work / "selective"
            choice = layers.choose(budget, accuracy_check(self._meter, budget, folder, product.method))
            nodes = choice.nodes.union(self._recipe.float_nodes) if choice.nodes else choice.nodes
            product.choice = replace(choice, nodes=nodes)

    def _apply_float_nodes(self, product: Product) -> None:
        """Compute the chosen nodes in float; train further if that alone is not sufficient."""
        product.choice = choice = self._processes.same(product.choice)
        if not choice.nodes:
            return
        network, budget = product.networks["affine"], self._recipe.budget
        if choice.sufficient or budget is None or not budget.steps or self._recipe.quick:
            product.networks["affine"] = with_float_nodes(network, choice.nodes)
            return
        seed = self._recipe.training.seed
        product.networks["affine"] = self._train_further(product.graph, network, seed, choice)
        product.state = "qat"
        product.method += f", {budget.steps} more with {len(choice.nodes)} nodes in float"

    def _train_further(self, graph: Graph, network: Network, seed: int, choice: FloatNodeChoice) -> Network:
        steps = self._recipe.budget.steps if self._recipe.budget else 0
        recipe = replace(self._recipe.training, seed=seed, steps=steps)
        run = self._run(network.graph, recipe, f"selective-{seed}", float_nodes=choice.nodes)
        run.network.copy_from(network)
        stage = f"training further, {len(choice.nodes)} nodes in float"
        with self._reporter.training(stage, steps) as report:
            run.train(graph, report)
        return run.network

    def _export(self, product: Product) -> None:
        """Export every format and measure it in its engines."""
        for name in self._recipe.formats:
            grid = FORMATS[name].kind
            symmetric = grid == "symmetric" or "affine" not in product.networks
            kind: GridKind = "symmetric" if symmetric else "partial" if grid == "partial" else "affine"
            network = product.networks[kind]
            with self._reporter.stage(f"exporting {name}"):
                artefact = export(network, self._execution.work, name)
            product.artefacts.append(artefact)
            state: QuantizationState = "float" if grid == "float" else product.state
            method = f"{product.method}, partial grid" if kind == "partial" else product.method
            if symmetric and product.symmetric:
                state, method = "ptq", product.symmetric.name
            seed = self._recipe.training.seed if state == "qat" else None
            for engine in measuring_engines(artefact.format, artefact.grid):
                self._meter.artefact(artefact, ModelVersion(state, method, seed), engine)

    def _repeat(self, product: Product, seed: int) -> None:
        """Train with another seed, and measure the artefacts on affine grids."""
        recipe = replace(self._recipe.training, seed=seed)
        run = self._started_run(self._baselines["affine"].network, recipe, f"seed-{seed}")
        with self._reporter.training(f"training, seed {seed}", run.recipe.steps) as report:
            run.train(product.graph, report)
        network = run.network
        if product.choice.nodes and not product.choice.sufficient:
            network = self._train_further(product.graph, network, seed, product.choice)
        elif product.choice.nodes:
            network = with_float_nodes(network, product.choice.nodes)
        if not self._processes.first:
            return
        for name in self._recipe.formats:
            if FORMATS[name].kind == "affine":
                artefact = export(network, run.execution.work, name)
                for engine in measuring_engines(artefact.format, artefact.grid):
                    self._meter.artefact(artefact, ModelVersion("qat", product.method, seed), engine)

    def _grid_kinds(self) -> list[GridKind]:
        """Return the kinds of grids to calibrate and train, ``affine`` first.

        Float references need no training, and partial grids are made from affine ones.
        """
        grids = {FORMATS[name].kind for name in self._recipe.formats}
        kinds: list[GridKind] = ["affine"] if grids != {"symmetric"} else []
        return [*kinds, "symmetric"] if "symmetric" in grids else kinds

    def _run(
        self,
        graph: Graph,
        recipe: Recipe,
        folder: str,
        kind: GridKind = "affine",
        float_nodes: Collection[str] = (),
    ) -> TrainingRun:
        nodes = float_nodes or self._recipe.float_nodes
        plan = plan_grids(graph, self._source.description.input, kind, nodes)
        return TrainingRun(self._source, graph, recipe, plan, self._execution.within(folder))
