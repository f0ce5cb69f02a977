"""From a float model and pictures to a bundle: the workflow of ``edgeagent qat train``.

::

    read graph, cut at its heads [-> exchange activations, train in float]
        -> best quantization without training (evidence, and enough where it loses little)
        -> train on grid a [-> on grid b for TensorRT, from there] -> [leave costly layers in float,
           and train on] -> export
        -> compare each artefact with its network, layer by layer -> measure each in its engines
        -> [the same training with other seeds, measured] -> bundle

All intermediate files lie in a work folder, so that a run can be resumed and looked at. The bundle appears
whole or not at all.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgeagent.bundle.evidence import SensitivityRecord, TrainingPoint
from edgeagent.engines.loading import READERS, available_engines
from edgeagent.errors import DataError
from edgeagent.qat.export.exports import FORMATS, Exported, export, export_reference
from edgeagent.qat.graph.activation_swap import swap_activations
from edgeagent.qat.graph.focus import fold_focus
from edgeagent.qat.graph.graph import Graph, read_graph
from edgeagent.qat.graph.heads import check_heads, describe_cut
from edgeagent.qat.grid.affine import Preset
from edgeagent.qat.measuring import Measuring, State
from edgeagent.qat.mixed.mixed import take_over, with_float_nodes
from edgeagent.qat.mixed.selective import Selective, SelectiveChoice, loses_little_in
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.baseline import find_baseline, loses_little
from edgeagent.qat.recipe_file import BundleRecipe
from edgeagent.qat.train_view import View
from edgeagent.qat.training.pictures import hold_out
from edgeagent.qat.training.processes import Processes
from edgeagent.qat.training.recipe import Recipe
from edgeagent.qat.training.run import START, Run, TrainingSource, with_weights


@dataclass
class Product:
    """What a factory made.

    Attributes:
        graph: float graph.
        networks: the network behind the artefacts of each grid.
        artefacts: exported, in the order of the recipe's formats.
        state: ``ptq`` or ``qat``.
        method: how it was quantized.
        training: the loss of each step; empty without training.
        sensitivity: of each layer, where the recipe asks for it.
        choice: nodes that a budget leaves in float.
    """

    graph: Graph
    networks: dict[Preset, Network] = field(default_factory=dict)
    artefacts: list[Exported] = field(default_factory=list)
    state: State = "qat"
    method: str = ""
    training: list[TrainingPoint] = field(default_factory=list)
    sensitivity: list[SensitivityRecord] = field(default_factory=list)
    choice: SelectiveChoice = field(default_factory=SelectiveChoice)


class Factory:
    """Makes what goes into a bundle.

    Args:
        source: model and pictures.
        recipe: how.
        work: folder for checkpoints and intermediate artefacts; made when missing.
        measuring: of accuracy.
        view: told what is going on.
        processes: this process among those of the run; the first alone measures and exports.
        compiled: fuse the fake-quantizers with a C++ compiler, when there is one.
        resume: continue trainings from their checkpoints.
    """

    def __init__(
        self,
        source: TrainingSource,
        recipe: BundleRecipe,
        work: Path,
        measuring: Measuring,
        view: View,
        processes: Processes,
        compiled: bool = True,
        resume: bool = False,
    ) -> None:
        self._source, self._recipe, self._work = source, recipe, work
        self._measuring, self._view, self._processes = measuring, view, processes
        self._compiled, self._resume = compiled, resume
        if resume and not any(work.rglob("checkpoint.pt")):
            raise DataError(f"{work}: no checkpoint to resume from; start without --resume")
        work.mkdir(parents=True, exist_ok=True)

    def make(self) -> Product:
        """Run all steps.

        Raises:
            DataError: model, pictures or recipe cannot be used, or an artefact is not what was trained.
        """
        product = self._float_model()
        if not self._calibration_is_enough(product):
            self._train(product)
        if self._processes.first:
            self._look_at_layers(product)
        self._leave_in_float(product)
        if self._processes.first:
            self._export(product)
        for seed in self._recipe.seeds if product.state == "qat" else ():
            self._repeat(product, seed)
        return product

    def _float_model(self) -> Product:
        """Read the model, exchange its activations where that is asked for, and measure it."""
        graph = fold_focus(read_graph(self._source.model, self._recipe.heads))
        check_input(graph, self._source)
        check_heads(graph, self._source.description)
        for line in describe_cut(graph):
            self._view.say(line)
        self._view.say(self._source.describe())
        method = "as given"
        if self._recipe.activation:
            original, graph = graph, swap_activations(graph, self._recipe.activation)
            steps = self._recipe.activation_steps
            recipe = replace(self._recipe.training, steps=steps, scales="frozen")
            run = self._run(graph, recipe, "activation")
            with self._view.training(f"{self._recipe.activation} in float", steps) as report:
                run.train(original, report, self._resume, mode="float")
            graph = with_weights(graph, run.network)
            method = f"{self._recipe.activation} for SiLU, {steps} steps"
        if self._processes.first:
            row = self._measuring.artefact(export_reference(graph, self._work), "float", method)
            if row is not None and row.map50_95 == 0:
                self._view.say(
                    "the float model finds nothing of what --val-labels say, so that nothing can be told "
                    "from them; check the labels and the description of the model"
                )
        return Product(graph)

    def _calibration_is_enough(self, product: Product) -> bool:
        """Find the best quantization without training; take it where it loses no more than is tolerated."""
        enough = False
        if self._processes.first and "a" in self._presets():
            spec, calibration = self._source.description.input, self._source.calibration
            original = self._measuring.found[0].map50_95 if self._measuring.found else None
            self._view.say("without training:")
            best = find_baseline(
                product.graph,
                spec,
                calibration,
                self._work,
                self._measuring,
                lambda one: self._view.say(f"  {one.describe(original)}"),
            )
            enough = self._presets() == ["a"] and loses_little(
                original, best.map50_95, self._recipe.tolerance
            )
            self._view.say(f"best without training: {best.describe(original)}")
            if enough:
                self._view.say(
                    f"at most {self._recipe.tolerance:g} are tolerated: no training is needed "
                    "(--tolerance -1 trains anyway)"
                )
                product.networks["a"], product.method = best.network, best.name
        if self._processes.same(float(enough)):
            product.state = "ptq"
        return product.state == "ptq"

    def _train(self, product: Product) -> None:
        recipe = self._recipe.training
        product.method = f"{recipe.steps} steps of {recipe.batch} pictures"
        for preset in self._presets():
            first = not product.networks
            steps = recipe.steps if first else self._recipe.tensorrt_steps
            run = self._run(product.graph, replace(recipe, steps=steps), "" if first else preset, preset)
            if not first:
                run.network.convolutions.load_state_dict(product.networks["a"].convolutions.state_dict())
            run.calibrate()
            if preset == "b" and self._processes.first:
                run.network.set_mode("quantize")
                self._measuring.network(run.network, "ptq", f"{START} calibration, grid b")
            with self._view.training(f"training, grid {preset}", steps) as report:
                run.train(product.graph, report, self._resume)
            product.networks[preset] = run.network
            if first:
                product.training = run.loss_curve()
        if not self._processes.first:
            return
        for preset, network in product.networks.items():
            network.set_mode("quantize")
            self._measuring.network(network, "qat", f"{product.method}, grid {preset}", recipe.seed)

    def _look_at_layers(self, product: Product) -> None:
        """Measure the sensitivity of the layers, and choose the costliest, as the recipe asks for."""
        budget, network = self._recipe.budget, product.networks.get("a")
        if network is None or not (budget or self._recipe.sensitivity):
            return
        _, held_out = hold_out(self._source.pictures)
        pictures = held_out or self._source.calibration
        spec = self._source.description.input
        layers = Selective(network, product.graph, spec, pictures, self._view)
        product.sensitivity = layers.evidence()
        if budget:
            folder = self._work / "selective"
            good = loses_little_in(self._measuring, budget, folder, product.method)
            choice = layers.within(budget, good)
            nodes = choice.nodes.union(self._recipe.float_nodes) if choice.nodes else choice.nodes
            product.choice = replace(choice, nodes=nodes)

    def _leave_in_float(self, product: Product) -> None:
        """Leave the chosen nodes in float; where that is not enough by itself, train on with them so."""
        product.choice = choice = self._processes.same(product.choice)
        if not choice.nodes:
            return
        network, budget = product.networks["a"], self._recipe.budget
        if choice.enough or budget is None or not budget.steps:
            product.networks["a"] = with_float_nodes(network, choice.nodes)
            return
        product.networks["a"] = self._train_on(product.graph, network, self._recipe.training.seed, choice)
        product.method += f", {budget.steps} more with {len(choice.nodes)} nodes in float"

    def _train_on(self, graph: Graph, network: Network, seed: int, choice: SelectiveChoice) -> Network:
        steps = self._recipe.budget.steps if self._recipe.budget else 0
        recipe = replace(self._recipe.training, seed=seed, steps=steps)
        run = self._run(graph, recipe, f"selective-{seed}", float_nodes=choice.nodes)
        take_over(run.network, network)
        with self._view.training(f"training on, {len(choice.nodes)} nodes in float", steps) as report:
            run.train(graph, report, self._resume)
        return run.network

    def _export(self, product: Product) -> None:
        for name in self._recipe.formats:
            grid = FORMATS[name].grid
            network = product.networks["b" if grid == "b" or "a" not in product.networks else "a"]
            with self._view.busy(f"exporting {name}"):
                artefact = export(network, self._work, name)
            product.artefacts.append(artefact)
            for engine in READERS[artefact.format]:
                if engine in available_engines() and not (grid == "b" and engine != "onnxruntime"):
                    state: State = "float" if grid == "float" else product.state
                    seed = self._recipe.training.seed if state == "qat" else None
                    self._measuring.artefact(artefact, state, product.method, engine, seed)

    def _repeat(self, product: Product, seed: int) -> None:
        """Train with another seed, and measure what comes of it."""
        run = self._run(product.graph, replace(self._recipe.training, seed=seed), f"seed-{seed}")
        run.calibrate()
        with self._view.training(f"training, seed {seed}", run.recipe.steps) as report:
            run.train(product.graph, report, self._resume)
        network = run.network
        if product.choice.nodes and not product.choice.enough:
            network = self._train_on(product.graph, network, seed, product.choice)
        elif product.choice.nodes:
            network = with_float_nodes(network, product.choice.nodes)
        if not self._processes.first:
            return
        for name in self._recipe.formats:
            if FORMATS[name].grid == "a":
                artefact = export(network, run.work, name)
                for engine in READERS[artefact.format]:
                    if engine in available_engines():
                        self._measuring.artefact(artefact, "qat", product.method, engine, seed)

    def _presets(self) -> list[Preset]:
        """Grids that something is exported on, ``a`` first; references need no training of their own."""
        grids = {FORMATS[name].grid for name in self._recipe.formats}
        presets: list[Preset] = ["a"] if grids != {"b"} else []
        return [*presets, "b"] if "b" in grids else presets

    def _run(
        self,
        graph: Graph,
        recipe: Recipe,
        folder: str,
        preset: Preset = "a",
        float_nodes: Collection[str] = (),
    ) -> Run:
        return Run(
            self._source,
            graph,
            recipe,
            self._work / folder,
            preset,
            float_nodes or self._recipe.float_nodes,
            self._compiled,
            self._processes,
        )


def check_input(graph: Graph, source: TrainingSource) -> None:
    """Refuse a description of another input size.

    Raises:
        DataError: the sizes differ.
    """
    spec, (_, _, height, width) = source.description.input, graph.input_shape
    if (spec.width, spec.height) != (width, height):
        raise DataError(
            f"{source.model}: takes pictures of {width}x{height}, its description says "
            f"{spec.width}x{spec.height}; correct the description"
        )
