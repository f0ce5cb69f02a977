"""Execution of ``edgeagent qat train``: recipe from options, call of the factory, table of results."""

from __future__ import annotations

import argparse

from rich.table import Table

from edgeagent.bundle.task import MEASURES
from edgeagent.cli.qat_progress import TerminalProgress
from edgeagent.qat.factory.bundle_recipe import Budget, BundleRecipe, load_recipe, with_settings
from edgeagent.qat.factory.quantize import QuantizedBundle, quantize
from edgeagent.qat.training.processes import is_first_process

TRAINING_OPTIONS = {"steps": "steps", "batch": "batch", "seed": "seed", "rate": "weight_rate"}
"""Attribute of the training recipe by option."""
OPTION_NAMES = {
    **{attribute: option for option, attribute in TRAINING_OPTIONS.items()},
    "budget": "lose-at-most",
    "lose_at_most": "lose-at-most",
    "integer_macs": "integer-macs",
    "formats": "format",
}
"""Option by attribute of the recipe."""


def train(arguments: argparse.Namespace) -> int:
    """Run the command with the arguments of :mod:`edgeagent.cli.qat_train`."""
    view = TerminalProgress(quiet=not is_first_process())
    result = quantize(
        arguments.model,
        arguments.images,
        arguments.out,
        describe=arguments.describe,
        like=arguments.like,
        recipe=read_recipe(arguments),
        labels=arguments.labels,
        dataset=arguments.dataset,
        dataset_images=arguments.dataset_images,
        calibrate=arguments.calibrate,
        val_dataset=arguments.val_dataset,
        val_images=arguments.val_images,
        val_labels=arguments.val_labels,
        golden=arguments.golden,
        golden_labels=arguments.golden_labels,
        replace=arguments.replace,
        resume=arguments.resume,
        compiled=not arguments.no_compile,
        progress=view,
    )
    view.console.print(_table(result))
    view.console.print(f"bundle: {result.path}")
    for line in result.outlook:
        view.console.print(line)
    return 0


def read_recipe(arguments: argparse.Namespace) -> BundleRecipe:
    """Return the recipe of the file, or the default one, with the options of the command line.

    Raises:
        ConfigurationError: the file cannot be used, or a value is out of range.
    """
    recipe = load_recipe(arguments.recipe) if arguments.recipe else BundleRecipe()
    training = {attribute: getattr(arguments, option) for option, attribute in TRAINING_OPTIONS.items()}
    settings = {
        "formats": arguments.format,
        "heads": arguments.head,
        "float_nodes": arguments.float_node,
        "ptq": arguments.ptq,
        "quick": arguments.quick or None,
        "tolerance": arguments.tolerance,
        "keep": arguments.keep,
        "activation": arguments.activation,
        "budget": _budget(arguments, recipe.budget),
    }
    return with_settings(recipe, training, settings, lambda name: f"--{OPTION_NAMES.get(name, name)}")


def _budget(arguments: argparse.Namespace, budget: Budget | None) -> dict[str, float] | None:
    given = {"lose_at_most": arguments.lose_at_most, "integer_macs": arguments.integer_macs}
    given = {key: value for key, value in given.items() if value is not None}
    return {**(budget or Budget()).model_dump(), **given} if given else None


def _table(result: QuantizedBundle) -> Table:
    """Return the accuracy of all versions of the model, with the operators of each artefact below."""
    counts = [
        f"{artefact.path.name}: {sum(artefact.operators.integer.values())} integer operators, "
        f"{sum(artefact.operators.float.values())} float "
        f"({', '.join(artefact.operators.float) or 'none'})"
        for artefact in result.artefacts
    ]
    table = Table(caption="\n".join(counts))
    for column in ("state", "method", "engine"):
        table.add_column(column)
    measure = result.accuracy[0].measure if result.accuracy else MEASURES["detection"]
    for column in (measure.title, measure.second_title, "pictures"):
        table.add_column(column, justify="right")
    for item in result.accuracy:
        scores = (f"{item.accuracy:.3f}", f"{item.second_accuracy:.3f}", str(item.images))
        table.add_row(item.state, item.method, item.engine.split()[0], *scores)
    if not result.accuracy:
        table.add_row(result.state, "accuracy not measured: no --val-dataset or --val-images", "", "", "", "")
    return table
