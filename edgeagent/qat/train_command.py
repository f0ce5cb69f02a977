"""What ``edgeagent qat train`` shows and writes around a :class:`edgeagent.qat.factory.Run`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from edgeagent import __version__
from edgeagent.accuracy.evaluation import IOU_THRESHOLD, evaluate
from edgeagent.accuracy.yolo_labels import LabelledPictures, Labels
from edgeagent.bundle.golden import save_golden
from edgeagent.bundle.manifest import Measurement
from edgeagent.bundle.writing import write_bundle
from edgeagent.detector import Detector, load_detector
from edgeagent.errors import ConfigurationError, DataError
from edgeagent.model_description import describe_model
from edgeagent.qat.calibration import METHODS
from edgeagent.qat.card import card_text
from edgeagent.qat.exports import DEFAULTS, FORMATS, Exported, export_reference
from edgeagent.qat.factory import CALIBRATION_PICTURES, Run, Source
from edgeagent.qat.labelled import find_labels
from edgeagent.qat.parity import float_outputs, reference_outputs, tolerance, worst_difference
from edgeagent.qat.pictures import find_pictures
from edgeagent.qat.recipe import Recipe
from edgeagent.qat.supervised import check_family
from edgeagent.qat.training import Progress

State = Literal["float", "ptq", "qat"]
GOLDEN_OUTPUTS = "golden/outputs.npz"
PARITY_PICTURES = 4  # of the calibration, where no golden ones are given
SUPERVISED_WEIGHT = 0.5  # of the supervised loss beside the teacher's


def train(arguments: argparse.Namespace) -> int:
    """Run the command; the arguments are those of :mod:`edgeagent.cli.qat`."""
    console = Console(stderr=True)
    if arguments.out.exists() and not arguments.replace:
        raise ConfigurationError(f"{arguments.out}: exists already; choose another --out or give --replace")
    formats = tuple(dict.fromkeys(arguments.format or DEFAULTS[arguments.preset]))
    for name in formats:
        FORMATS[name].check()
        if FORMATS[name].grid not in (arguments.preset, "float"):
            raise ConfigurationError(
                f"--format {name} belongs to --preset {FORMATS[name].grid}, and a run trains one preset"
            )
    validation = _validation(arguments)
    golden_pictures = find_pictures([arguments.golden]) if arguments.golden else []
    pictures = find_pictures(arguments.images)
    calibration = find_pictures([arguments.calibrate or arguments.images[0]])
    calibration = calibration[:: max(1, len(calibration) // CALIBRATION_PICTURES)][:CALIBRATION_PICTURES]
    description = describe_model(arguments.model, arguments.describe, arguments.like)
    labels: dict[Path, Labels] = {}
    if arguments.labels:
        check_family(description.decoder.family)
        labels = find_labels(pictures, arguments.labels, len(description.labels))
    recipe = Recipe(
        arguments.steps,
        arguments.batch,
        arguments.seed,
        arguments.rate,
        supervised_weight=SUPERVISED_WEIGHT if labels else 0.0,
    )
    run = Run(
        Source(arguments.model, description, pictures, calibration, labels),
        recipe,
        arguments.out.with_name(f"{arguments.out.name}.work"),
        compiled=not arguments.no_compile,
        preset=arguments.preset,
    )
    heads = ", ".join(f"{head.tensor} {head.shape[1:]}" for head in run.graph.heads)
    console.print(f"{len(run.network.convolutions)} convolutions; integer up to the heads {heads}")
    labelled = f", {len(labels)} of them labelled" if labels else ""
    console.print(f"{len(pictures)} pictures{labelled}; calibrating on {len(calibration)}")
    measurements = []
    if validation:  # the float model first: what is wrong with it is better known before the training
        reference = export_reference(run.graph, run.work)
        measurements.append(_measure(_detector(run, reference), validation, "float", "as given", console))
        if measurements[0].map50_95 == 0:
            console.print(
                "the float model finds nothing of what --val-labels say, so that nothing can be told from "
                "them; check the labels and the description of the model"
            )
    ptq = run.calibrate()
    if validation:
        for method, artefact in ptq.items():
            detector = _detector(run, artefact)
            measurements.append(_measure(detector, validation, "ptq", f"{method} calibration", console))
    state, how = _train_unless_needless(run, measurements, arguments, console)
    with console.status(f"exporting {', '.join(formats)}"):
        artefacts = run.export(formats)
    if validation:
        for artefact in artefacts:
            measurements.append(_measure(_detector(run, artefact), validation, state, how, console))
    _write(arguments, run, golden_pictures, measurements, artefacts)
    console.print(_table(measurements, artefacts))
    console.print(f"bundle: {arguments.out}")
    return 0


def _train_unless_needless(
    run: Run, measurements: Sequence[Measurement], arguments: argparse.Namespace, console: Console
) -> tuple[State, str]:
    """Train, or keep the best calibration when it loses no more than is tolerated; say how it was made."""
    calibrated = {item.method.split()[0]: item.map50_95 for item in measurements if item.state == "ptq"}
    if calibrated and measurements[0].map50_95 > 0:
        best = max(METHODS, key=lambda method: calibrated[method])
        lost = measurements[0].map50_95 - calibrated[best]
        if lost <= arguments.tolerance:
            console.print(
                f"{best} calibration alone loses {max(0.0, lost):.3f} mAP50-95, at most "
                f"{arguments.tolerance:g} are tolerated: no training is needed (--tolerance -1 trains anyway)"
            )
            run.keep(best)
            return "ptq", f"{best} calibration"
    with _bar(console, run.recipe.steps) as report:
        run.train(report, resume=arguments.resume)
    return "qat", f"{run.recipe.steps} steps of {run.recipe.batch} pictures"


def _detector(run: Run, artefact: Exported) -> Detector:
    description = run.source.description
    return load_detector(description, artefact.path, artefact.format, artefact.outputs, 0, IOU_THRESHOLD)


def _validation(arguments: argparse.Namespace) -> LabelledPictures | None:
    if (arguments.val_images is None) != (arguments.val_labels is None):
        raise ConfigurationError("--val-images and --val-labels belong together: give both or none")
    if arguments.val_images is None:
        return None
    return LabelledPictures.find(arguments.val_images, arguments.val_labels)


@contextmanager
def _bar(console: Console, steps: int) -> Iterator[Callable[[Progress], None]]:
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("training", total=steps, loss="-")
        smooth: list[float] = []

        def report(progress: Progress) -> None:
            if progress.loss is None:
                bar.reset(task, completed=progress.step)  # so that the rate is that of this run alone
                return
            smooth.append(progress.loss)
            del smooth[:-20]
            bar.update(task, completed=progress.step, loss=f"{sum(smooth) / len(smooth):.3f}")

        yield report


def _measure(
    detector: Detector, validation: LabelledPictures, state: State, method: str, console: Console
) -> Measurement:
    """Measure a loaded model through its engine, and close it."""
    facts = detector.engine.facts
    with console.status(f"measuring {state} ({method}) through {facts.engine}"):
        accuracy = evaluate(detector, validation)
    detector.engine.close()
    return Measurement(
        state=state,
        method=method,
        engine=f"{facts.engine} {facts.version} {facts.delegate}",
        map50_95=round(accuracy.map50_95, 4),
        map50=round(accuracy.map50, 4),
        images=accuracy.images,
        data_sha256=validation.data_hash(),
    )


def _write(
    arguments: argparse.Namespace,
    run: Run,
    golden_pictures: list[Path],
    measurements: list[Measurement],
    artefacts: Sequence[Exported],
) -> None:
    description, recipe = run.source.description, run.recipe_record()
    manifest: dict[str, Any] = {
        **description.model_dump(),
        "artefacts": [artefact.entry() for artefact in artefacts],
        "evidence": {"measurements": measurements, "recipe": recipe},
        "minimum_agent_version": __version__,
    }
    files: dict[str, Path | bytes] = {artefact.path.name: artefact.path for artefact in artefacts}
    files["card.md"] = card_text(description, measurements, artefacts, recipe).encode()
    checked = golden_pictures or run.source.calibration[:PARITY_PICTURES]
    golden = reference_outputs(run.network, description.input, checked)
    exact = float_outputs(run.network, description.input, checked, golden)
    worst = [
        worst_difference(artefact, description.input, checked, exact if artefact.grid == "float" else golden)
        for artefact in artefacts
    ]
    if golden_pictures:
        outputs = run.work / "golden.npz"
        save_golden(outputs, golden)
        names = [f"golden/{path.name}" for path in golden_pictures]
        if len(set(names)) != len(names):
            raise DataError(f"{arguments.golden}: two golden pictures have the same name; rename one")
        files |= {GOLDEN_OUTPUTS: outputs, **dict(zip(names, golden_pictures, strict=True))}
        manifest["golden"] = {"pictures": names, "outputs": GOLDEN_OUTPUTS, "tolerance": tolerance(worst)}
    write_bundle(arguments.out, manifest, files, replace=arguments.replace)


def _table(measurements: Sequence[Measurement], artefacts: Sequence[Exported]) -> Table:
    counts = [
        f"{artefact.path.name}: {sum(artefact.operators.integer.values())} integer operators, "
        f"{sum(artefact.operators.float.values())} float ({', '.join(artefact.operators.float) or 'none'})"
        for artefact in artefacts
    ]
    table = Table(caption="\n".join(counts))
    for column in ("state", "method", "engine", "mAP50-95", "mAP50", "pictures"):
        table.add_column(column)
    for item in measurements:
        engine = item.engine.split()[0]
        scores = (f"{item.map50_95:.3f}", f"{item.map50:.3f}", str(item.images))
        table.add_row(item.state, item.method, engine, *scores)
    if not measurements:
        table.add_row("qat", "accuracy not measured: no --val-images", "", "", "", "")
    return table
