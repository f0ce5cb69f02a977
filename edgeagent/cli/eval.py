"""The command ``edgeagent eval``: accuracy of a bundle or a float model on labelled pictures."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from edgeagent.accuracy.decoding_check import PICTURES, check_output_decoding
from edgeagent.accuracy.evaluation import (
    IOU_THRESHOLD,
    Evaluation,
    compare_evaluations,
    evaluate_model,
)
from edgeagent.bundle.model_description import FloatModelDescription, describe_model
from edgeagent.bundle.reading import open_bundle
from edgeagent.cli.dataset_options import add_dataset_options, given_data
from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.datasets.given import check_data
from edgeagent.detection.detector import Detector, build_detector, load_bundle_detector
from edgeagent.engines.loading import CHOICES, READERS, load_engine
from edgeagent.errors import ConfigurationError
from edgeagent.files.resources import find_bundle
from edgeagent.imaging.picture import read_picture
from edgeagent.qat.export.cut_model import FloatFile, decodable_file
from edgeagent.settings.sections.model import MAX_THREADS

DESCRIPTION = """\
Run a model on labelled pictures and print its accuracy: of a detector the COCO mAP, computed by pycocotools
with score threshold .01 and IoU threshold .65; of a model for instances that of the masks, and of the boxes;
of a classifier top-1 and top-5, on pictures in one folder for each label. Preprocessing, engine and decoding
are those of the daemon. Classes of a data set are matched to the labels of the model by name; files of
--labels have the class numbers of the model.

With --against, a second model runs on the same pictures. The difference in accuracy is printed with its
95 % interval (paired bootstrap over pictures); one that contains 0 means that these pictures are too few to
tell which model is better."""

EPILOG = """\
examples:
  edgeagent eval --bundle models/coco-nano --dataset data.yaml
  edgeagent eval --bundle models/coco-nano --dataset annotations/instances_val2017.json
  edgeagent eval --bundle models/coco-nano --images val/images --labels val/labels
  edgeagent eval --bundle models/coco-nano --artefact model.onnx --engine openvino --images ... --labels ...
  edgeagent eval --bundle my-classifier --dataset pictures    pictures/val/LABEL/*.jpg
  edgeagent eval --model yolox_nano.onnx --like models/coco-nano --images val/images --labels val/labels
  edgeagent eval --bundle models/coco-nano --against yolox_nano.onnx --images ... --labels ...

The description of a float model is the file of --describe, the file beside it with the suffix .yaml, or the
bundle of --like. Where its own output is not decoded, or the description names heads, the heads are cut as
`edgeagent qat` cuts them; that takes the packages of edgeagent[qat]."""

FORMATS = {".onnx": "onnx", ".tflite": "tflite"}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``eval``."""
    parser = commands.add_parser(
        "eval",
        help="accuracy of a bundle or a float model on labelled pictures",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--bundle", type=Path, help="directory of a bundle, or name of an included one")
    what.add_argument("--model", type=Path, help="float model, .onnx or .tflite")
    parser.add_argument(
        "--describe",
        type=Path,
        metavar="FILE",
        help="description of --model (default: the .yaml beside it)",
    )
    parser.add_argument("--like", type=Path, metavar="BUNDLE", help="bundle that describes --model")
    add_dataset_options(parser)
    parser.add_argument("--images", type=Path, metavar="DIR", help="pictures, instead of --dataset")
    parser.add_argument("--labels", type=Path, metavar="DIR", help="YOLO labels of the pictures")
    parser.add_argument(
        "--artefact", metavar="FILE", help="artefact of the bundle (default: the first the engine can load)"
    )
    parser.add_argument("--engine", choices=CHOICES, default="auto")
    parser.add_argument(
        "--threads", type=int, default=0, help="threads of the engine (default: all processors but one)"
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="MODEL",
        help="bundle or float model to compare with, such as its origin; a float model that --engine does "
        "not read runs in the first engine that reads it",
    )
    add_json_options(parser, file=True)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate the model and print its accuracy."""
    if not 0 <= arguments.threads <= MAX_THREADS:
        raise ConfigurationError(f"--threads: expected 0 to {MAX_THREADS}, got {arguments.threads}")
    data = given_data(arguments, arguments.images, arguments.labels).open()
    if data is None:
        raise ConfigurationError("no labelled pictures: give --dataset, or --images and --labels")
    detector = _load(arguments)

    def report(done: int, what: str = "pictures") -> None:
        if sys.stderr.isatty():
            print(f"\r{done}/{len(data)} {what}", end="", file=sys.stderr, flush=True)

    check_data(data, detector.description.labels, lambda done: report(done, "pictures checked"))
    if arguments.model:
        some = data.pictures[:: max(1, len(data) // PICTURES)][:PICTURES]
        check_output_decoding(arguments.model, detector, [read_picture(path) for path in some])

    other = None if arguments.against is None else _load_other(arguments, detector)
    found, difference = evaluate_model(detector, data, report), None
    if other is not None:
        _check_labels(arguments.against, other, detector)
        difference = compare_evaluations(found, evaluate_model(other, data, report))
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    facts = detector.engine.facts
    engine = f"{facts.engine} {facts.version} {facts.delegate}"
    _print(found, engine)
    if difference is not None:
        print(
            f"{difference.difference:+.4f} {found.measure.title} against {arguments.against}, 95 % interval "
            f"{difference.low:+.4f} to {difference.high:+.4f}"
        )
    if arguments.json or arguments.json_file:
        result = {**asdict(found.accuracy), "engine": engine, "data_sha256": data.data_hash()}
        if difference is not None:
            interval = {"low": difference.low, "high": difference.high}
            compared = {found.measure.field: difference.difference, **interval}
            result["against"] = {"model": str(arguments.against), **compared}
        give_result(arguments, result)
    return 0


def _load_other(arguments: argparse.Namespace, detector: Detector) -> Detector:
    """Return the model of ``--against``; a float model without a description of its own takes this one's."""
    path = find_bundle(arguments.against)
    if path.is_dir():
        return load_bundle_detector(open_bundle(path), arguments.engine, arguments.threads, IOU_THRESHOLD)
    model_format = FORMATS.get(path.suffix.lower())
    if model_format is None:
        raise ConfigurationError(f"{path}: --against takes a bundle, or an .onnx or .tflite file")
    if path.with_suffix(".yaml").exists():
        description = describe_model(path)
    else:
        description = FloatModelDescription.model_validate(detector.description.model_dump())
    engine = arguments.engine if arguments.engine in READERS[model_format] else "auto"
    return _load_float(path, model_format, description, arguments.threads, engine)


def _check_labels(path: Path, other: Detector, detector: Detector) -> None:
    if other.description.labels != detector.description.labels:
        raise ConfigurationError(f"--against {path}: has other labels; compare models of the same classes")
    if other.description.task != detector.description.task:
        raise ConfigurationError(
            f"--against {path}: is for {other.description.task}, the other for {detector.description.task}; "
            "compare models of the same task"
        )


def _load(arguments: argparse.Namespace) -> Detector:
    if arguments.bundle:
        if arguments.like or arguments.describe:
            option = "--like" if arguments.like else "--describe"
            raise ConfigurationError(f"{option} goes with --model; a bundle describes itself")
        bundle = open_bundle(find_bundle(arguments.bundle))
        return load_bundle_detector(
            bundle, arguments.engine, arguments.threads, IOU_THRESHOLD, arguments.artefact
        )
    if arguments.artefact:
        raise ConfigurationError("--artefact goes with --bundle")
    model: Path = arguments.model
    model_format = FORMATS.get(model.suffix.lower())
    if model_format is None:
        raise ConfigurationError(f"{model}: --model takes an .onnx or .tflite file")
    description = describe_model(model, arguments.describe, arguments.like)
    return _load_float(model, model_format, description, arguments.threads, arguments.engine)


def _load_float(
    model: Path, model_format: str, description: FloatModelDescription, threads: int, engine: str
) -> Detector:
    with tempfile.TemporaryDirectory() as folder:
        found = FloatFile(model)
        if model_format == "onnx" and engine in ("auto", *READERS["onnx"]):
            found = decodable_file(model, description, Path(folder))
        loaded = load_engine(found.path, model_format, threads, engine)
        return build_detector(description, loaded, found.outputs, str(model), IOU_THRESHOLD)


def _print(found: Evaluation, engine: str) -> None:
    accuracy, measure = found.accuracy, found.measure
    first, second = (float(getattr(accuracy, name)) for name in (measure.field, measure.second))
    print(
        f"{measure.title} {first:.4f}   {measure.second_title} {second:.4f}   "
        f"{accuracy.images} pictures   {engine}"
    )
    for name, title in measure.others:
        print(f"  {title} {float(getattr(accuracy, name)):.4f}")
    width = max(len(label) for label in accuracy.per_class)
    for label, value in sorted(accuracy.per_class.items(), key=lambda item: -item[1]):
        print(f"  {label:<{width}}  {value:.3f}")
