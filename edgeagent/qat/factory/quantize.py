"""Quantization of a float model from Python, as ``edgeagent qat train`` does it.

Example::

    import edgeagent

    result = edgeagent.quantize("yolox_nano.onnx", "photos", "my-bundle", steps=500, progress=print)
    for row in result.accuracy:
        print(row.state, row.method, row.engine, row.accuracy)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeagent.bundle.manifest import Measurement
from edgeagent.bundle.model_description import describe_model
from edgeagent.bundle.task import Task
from edgeagent.datasets.class_folders import ClassFolders
from edgeagent.datasets.given import validation_data
from edgeagent.datasets.part import LabelledPart
from edgeagent.datasets.picture_files import check_pictures
from edgeagent.datasets.task_labels import check_labels
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.errors import ConfigurationError
from edgeagent.qat.export.exports import FORMATS, Exported
from edgeagent.qat.factory.accuracy_meter import AccuracyMeter, QuantizationState
from edgeagent.qat.factory.bundle_recipe import BundleRecipe, load_recipe, with_settings
from edgeagent.qat.factory.bundling import BundleWriter
from edgeagent.qat.factory.description_check import check_input, check_layout
from edgeagent.qat.factory.factory import Factory
from edgeagent.qat.factory.given_pictures import GivenPictures
from edgeagent.qat.factory.golden_section import GoldenPictures
from edgeagent.qat.factory.job import QuantizationJob, TrainingSource
from edgeagent.qat.factory.progress import ProgressCallback, Reporter
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.pictures.finding import check_varied, evenly_spread, find_pictures
from edgeagent.qat.ptq.recipe import Effort
from edgeagent.qat.training.execution import Execution
from edgeagent.qat.training.processes import joined_processes
from edgeagent.qat.training.supervised import check_family

CALIBRATION_PICTURES = 128
QUICK_VALIDATION = 256
"""Most labelled pictures that a quick run measures on."""
SUPERVISED_WEIGHT = 0.5  # of the supervised loss, where the recipe has none


@dataclass(frozen=True)
class QuantizedBundle:
    """Result of a quantization.

    Attributes:
        path: directory of the bundle.
        state: ``qat`` for a trained model, ``ptq`` where calibration alone was within the tolerance.
        accuracy: accuracy of the float model, of every calibration and of every artefact in every engine that
            reads it, in the order of measurement; empty without validation pictures.
        artefacts: exported artefacts, with the operators that their engines run.
        outlook: what training would add, as lines of text; empty unless the run was quick.
    """

    path: Path
    state: QuantizationState
    accuracy: tuple[Measurement, ...]
    artefacts: tuple[Exported, ...]
    outlook: tuple[str, ...] = ()


def quantize(
    model: str | Path,
    images: str | Path | Sequence[str | Path] | None,
    out: str | Path,
    *,
    describe: str | Path | None = None,
    like: str | Path | None = None,
    recipe: str | Path | BundleRecipe | None = None,
    steps: int | None = None,
    seed: int | None = None,
    formats: Sequence[str] | None = None,
    ptq: Effort | None = None,
    quick: bool = False,
    labels: str | Path | None = None,
    dataset: str | Path | None = None,
    dataset_images: str | Path | None = None,
    calibrate: str | Path | None = None,
    val_dataset: str | Path | None = None,
    val_images: str | Path | None = None,
    val_labels: str | Path | None = None,
    golden: str | Path | None = None,
    golden_labels: str | Path | None = None,
    replace: bool = False,
    resume: bool = False,
    compiled: bool = True,
    progress: ProgressCallback | None = None,
) -> QuantizedBundle:
    """Quantize a float model and write it as a bundle with evidence.

    Nothing is written to the terminal. Checkpoints and intermediate artefacts are in the folder
    ``<out>.work`` beside the bundle. Under torch's launcher every process calls this function with the same
    arguments; the first one writes the bundle and calls ``progress``, and all return the same result.

    Args:
        model: float ONNX detector with a static input shape.
        images: folder, or folders, of pictures to train on, searched recursively; a folder listed twice
            counts twice; None with ``dataset`` alone.
        out: directory of the new bundle.
        describe: description of the model (labels, input, decoder); default: ``model`` with the suffix .yaml.
        like: existing bundle to take the description from.
        recipe: recipe, or its file; default: the default recipe.
        steps: optimiser steps, instead of those of the recipe.
        seed: seed, instead of that of the recipe.
        formats: artefacts to export, instead of those of the recipe: keys of
            :data:`edgeagent.qat.export.exports.FORMATS`.
        ptq: search of the best quantization without training, instead of that of the recipe: ``full``,
            ``fast`` or ``none``.
        quick: whether nothing is trained: a fast search of the best calibration, measured on at most
            :data:`QUICK_VALIDATION` pictures.
        labels: folder of YOLO labels of some or all pictures of ``images``; adds the supervised loss.
        dataset: data set to train on, whose labels add the supervised loss: ``data.yaml`` of Ultralytics or
            Roboflow, a COCO JSON file, or a folder with one of these or with YOLO labels. Where it has
            splits, ``train`` is trained on, and ``val`` is measured on if nothing else is given for that.
        dataset_images: folder of the pictures of COCO JSON files; None looks for it.
        calibrate: folder of pictures to calibrate on; default: the first of ``images``, else ``dataset``.
        val_dataset: data set to measure mAP on.
        val_images: folder of labelled pictures to measure mAP on.
        val_labels: folder of their YOLO labels.
        golden: folder of a few pictures that are published with the bundle.
        golden_labels: folder of their YOLO labels; default: what the float model finds. Pictures of a
            classifier may lie in one folder for each label instead.
        replace: whether an existing bundle is replaced.
        resume: whether trainings continue from their checkpoints.
        compiled: whether a C++ compiler, if installed, is used to speed up training.
        progress: called with every :data:`edgeagent.qat.factory.progress.ProgressEvent`.

    Raises:
        ConfigurationError: an argument or the recipe is invalid, ``out`` exists, or a package for a format is
            missing. Messages name arguments by the options of the command line, ``--val-images`` for
            ``val_images``.
        DataError: the model, its description, pictures or labels cannot be used, or an artefact does not
            compute what was trained.
        BundleError: ``like`` is rejected.
        EdgeagentError: the bundle or a checkpoint cannot be written.
    """
    out, model = Path(out), Path(model)
    if out.exists() and not replace:
        raise ConfigurationError(f"{out}: exists already; choose another --out or give --replace")
    chosen = load_recipe(Path(recipe)) if isinstance(recipe, (str, Path)) else recipe or BundleRecipe()
    chosen = with_settings(
        chosen, {"steps": steps, "seed": seed}, {"formats": formats, "ptq": ptq, "quick": quick or None}
    )
    if chosen.quick and resume:
        raise ConfigurationError(
            "--resume continues a training, and a quick run (--quick) trains nothing; finished calibrations "
            "are used again without --resume"
        )
    for name in chosen.formats:
        FORMATS[name].check()
    description = describe_model(model, _path(describe), _path(like))
    check_layout(model, description)
    golden_pictures = _golden_pictures(_path(golden), _path(golden_labels), description.task)
    folders = [Path(folder) for folder in ([images] if isinstance(images, (str, Path)) else images or ())]
    measured_on = validation_data(
        _path(val_dataset), _path(dataset_images), _path(val_images), _path(val_labels)
    )
    given = GivenPictures(folders, _path(dataset), _path(dataset_images), measured_on).find(measure=True)
    pictures, validation = given.pictures, given.validation
    labelled_pictures = len(validation) if validation else 0
    if validation and chosen.quick and labelled_pictures > QUICK_VALIDATION:
        validation = LabelledPart.spread(validation, QUICK_VALIDATION)
    calibrated_on = [Path(calibrate)] if calibrate else folders[:1]
    calibration = evenly_spread(find_pictures(calibrated_on) or pictures, CALIBRATION_PICTURES)
    check_varied(calibration)
    if description.heads and not chosen.heads:
        chosen = with_settings(chosen, {}, {"heads": description.heads})
    if labels or given.data:
        check_family(description.decoder)
    found = given.labels(_path(labels), description.labels)
    for labelled in (validation, golden_pictures.labels):
        if labelled is not None:
            check_labels(description.task, labelled.pictures, labelled.read(description.labels))
    source = TrainingSource(model, description, pictures, calibration, found)
    job = QuantizationJob(source, _with_supervised_weight(chosen, bool(found)), golden_pictures)
    work = out.with_name(f"{out.name}.work")
    with joined_processes() as processes:
        reporter = Reporter(progress if processes.first else None)
        if validation and len(validation) < labelled_pictures:
            reporter.message(
                f"quick: measuring on {len(validation)} of {labelled_pictures} labelled pictures"
            )
        if processes.first:
            check_input(read_graph(model, chosen.heads, description.task), model, description)
            measured = validation.pictures if validation else ()
            checked = list(dict.fromkeys((*pictures, *calibration, *measured, *golden_pictures.pictures)))
            with reporter.stage("checking the pictures", len(checked)) as report:
                check_pictures(checked, report)
        meter = AccuracyMeter(description, validation, reporter)
        product = Factory(job, Execution(work, processes, compiled, resume), meter, reporter).make()
        if processes.first:
            with reporter.stage("comparing the artefacts with the trained network"):
                BundleWriter(job, product, meter.measurements, work).write(out, replace)
        result = QuantizedBundle(
            out, product.state, tuple(meter.measurements), tuple(product.artefacts), product.outlook
        )
        result = processes.same(result)
        processes.wait()
    return result


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)


def _golden_pictures(folder: Path | None, labels: Path | None, task: Task) -> GoldenPictures:
    if labels is not None and folder is None:
        raise ConfigurationError("--golden-labels needs --golden, the folder of the labelled pictures")
    pictures = find_pictures([folder]) if folder else []
    if folder is not None and labels is None and task == "classification":
        named = ClassFolders.find(folder)
        if named is not None:
            return GoldenPictures(named.pictures, named)
    return GoldenPictures(pictures, LabelledPictures.pair(pictures, labels) if labels else None)


def _with_supervised_weight(recipe: BundleRecipe, labelled: bool) -> BundleRecipe:
    """Return a recipe whose supervised weight is 0 without labels, and positive with labels."""
    weight = (recipe.training.supervised_weight or SUPERVISED_WEIGHT) if labelled else 0.0
    training = dataclasses.replace(recipe.training, supervised_weight=weight)
    return recipe.model_copy(update={"training": training})
