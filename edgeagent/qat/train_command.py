"""``edgeagent qat train``: from the command line to a factory, and from what it made to a bundle."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgeagent.bundle.model_description import describe_model
from edgeagent.datasets.yolo_labels import LabelledPictures, Labels
from edgeagent.errors import ConfigurationError
from edgeagent.files.validation import first_mistake
from edgeagent.qat.bundling import write_product
from edgeagent.qat.export.exports import FORMATS
from edgeagent.qat.factory import Factory
from edgeagent.qat.golden_section import GoldenPictures
from edgeagent.qat.measuring import Measuring
from edgeagent.qat.recipe_file import Budget, BundleRecipe, load_recipe
from edgeagent.qat.train_view import View
from edgeagent.qat.training.labelled import find_labels
from edgeagent.qat.training.pictures import check_varied, find_pictures
from edgeagent.qat.training.processes import joined_processes
from edgeagent.qat.training.run import TrainingSource
from edgeagent.qat.training.supervised import check_family

CALIBRATION_PICTURES = 128
SUPERVISED_WEIGHT = 0.5  # of the supervised loss beside the teacher's, where a recipe does not say
TRAINING_OPTIONS = {"steps": "steps", "batch": "batch", "seed": "seed", "rate": "weight_rate"}
"""Command-line options that are settings of the training, with their names there."""
OPTION_NAMES = {
    **{key: name for name, key in TRAINING_OPTIONS.items()},
    "lose_at_most": "lose-at-most",
    "integer_macs": "integer-macs",
    "formats": "format",
}


def train(arguments: argparse.Namespace) -> int:
    """Run the command; the arguments are those of :mod:`edgeagent.cli.qat`."""
    if arguments.out.exists() and not arguments.replace:
        raise ConfigurationError(f"{arguments.out}: exists already; choose another --out or give --replace")
    recipe = read_recipe(arguments)
    for name in recipe.formats:
        FORMATS[name].check()
    validation = _validation(arguments)
    golden = _golden(arguments)
    source, recipe = _source(arguments, recipe)
    work = arguments.out.with_name(f"{arguments.out.name}.work")
    with joined_processes() as processes:
        view = View(quiet=not processes.first)
        measuring = Measuring(source.description, validation, view)
        compiled = not arguments.no_compile
        factory = Factory(source, recipe, work, measuring, view, processes, compiled, resume=arguments.resume)
        product = factory.make()
        if processes.first:
            with view.busy("comparing the artefacts with what was trained"):
                write_product(
                    arguments.out,
                    product,
                    source,
                    recipe,
                    measuring.found,
                    golden,
                    work,
                    arguments.replace,
                )
            view.table(measuring.found, product.artefacts)
            view.say(f"bundle: {arguments.out}")
        processes.wait()
    return 0


def read_recipe(arguments: argparse.Namespace) -> BundleRecipe:
    """Return the recipe file's settings, or the default ones, with those of the command line on top.

    Raises:
        ConfigurationError: the file cannot be used, or a value makes no sense.
    """
    recipe = load_recipe(arguments.recipe) if arguments.recipe else BundleRecipe()
    given = {key: getattr(arguments, name) for name, key in TRAINING_OPTIONS.items()}
    training = {
        **asdict(recipe.training),
        **{key: value for key, value in given.items() if value is not None},
    }
    options: dict[str, Any] = {
        "formats": arguments.format,
        "heads": arguments.head,
        "float_nodes": arguments.float_node,
        "tolerance": arguments.tolerance,
        "activation": arguments.activation,
        "budget": _budget(arguments, recipe.budget),
    }
    chosen = {key: value for key, value in options.items() if value is not None}
    try:
        return BundleRecipe.model_validate({**recipe.model_dump(), **chosen, "training": training})
    except ValidationError as error:
        mistake = first_mistake(error)
        option = OPTION_NAMES.get(str(mistake.place[-1]), str(mistake.place[-1]))
        raise ConfigurationError(f"--{option}: {mistake.text}, got {mistake.value!r}") from None


def _budget(arguments: argparse.Namespace, budget: Budget | None) -> dict[str, float] | None:
    given = {"lose_at_most": arguments.lose_at_most, "integer_macs": arguments.integer_macs}
    given = {key: value for key, value in given.items() if value is not None}
    return {**(budget or Budget()).model_dump(), **given} if given else None


def _source(arguments: argparse.Namespace, recipe: BundleRecipe) -> tuple[TrainingSource, BundleRecipe]:
    """Find model and pictures; labels that the recipe does not weigh get a weight."""
    pictures = find_pictures(arguments.images)
    calibration = find_pictures([arguments.calibrate or arguments.images[0]])
    calibration = calibration[:: max(1, len(calibration) // CALIBRATION_PICTURES)][:CALIBRATION_PICTURES]
    check_varied(calibration)
    description = describe_model(arguments.model, arguments.describe, arguments.like)
    labels: dict[Path, Labels] = {}
    if arguments.labels:
        check_family(description.decoder.family)
        labels = find_labels(pictures, arguments.labels, len(description.labels))
    weight = (recipe.training.supervised_weight or SUPERVISED_WEIGHT) if labels else 0.0
    training = replace(recipe.training, supervised_weight=weight)
    source = TrainingSource(arguments.model, description, pictures, calibration, labels)
    return source, recipe.model_copy(update={"training": training})


def _golden(arguments: argparse.Namespace) -> GoldenPictures:
    if arguments.golden_labels is not None and arguments.golden is None:
        raise ConfigurationError("--golden-labels goes with --golden, the pictures that are labelled")
    pictures = find_pictures([arguments.golden]) if arguments.golden else []
    labels = LabelledPictures.pair(pictures, arguments.golden_labels) if arguments.golden_labels else None
    return GoldenPictures(pictures, labels)


def _validation(arguments: argparse.Namespace) -> LabelledPictures | None:
    if (arguments.val_images is None) != (arguments.val_labels is None):
        raise ConfigurationError("--val-images and --val-labels belong together: give both or none")
    if arguments.val_images is None:
        return None
    return LabelledPictures.find(arguments.val_images, arguments.val_labels)
