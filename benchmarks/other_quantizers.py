"""Accuracy of bundles beside that of other quantizers, for the same float model and calibration pictures.

::

    pip install nncf==3.4.0 ai-edge-quantizer litert-torch
    python benchmarks/other_quantizers.py --calibrate pictures/ --images val/images --labels val/labels \\
        --model yolox_nano.onnx models/yolox-nano.yaml models/coco-nano \\
        --model picodet_s_416.onnx models/picodet-s-416.yaml models/coco-small

``--model`` takes a float model, its description and one or more bundles made from it; differences are against
the first artefact of the first bundle, with the 95 % interval of the paired bootstrap. A quantizer that is
not installed is left out with a sentence; one that fails has its error in the table.

nncf quantizes the exporter's graph, cut at the convolutions of the heads: what decodes them stays float, as
with an ``ignored_scope`` of all behind them, and brought to opset 13, from which on it has a scale for each
channel of weights. ``file as given`` is the file as it is, without a scope, where its output can be decoded.
ai-edge-quantizer quantizes the float TFLite file of ``edgeagent qat train --format tflite-fp32``. Pictures
are prepared and heads decoded as on the device, for all.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from quantized_files import MadeFile, Subject, ai_edge_files, failure_text, nncf_files

from edgeagent.accuracy.coco_map import Found, mean_average_precision
from edgeagent.accuracy.evaluation import IOU_THRESHOLD, detect_all
from edgeagent.accuracy.map_interval import MatchedDetections, map_difference
from edgeagent.bundle.model_description import describe_model
from edgeagent.bundle.reading import open_bundle
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.detection.detector import Detector, load_bundle_detector, load_detector
from edgeagent.engines.loading import measuring_engines
from edgeagent.errors import EdgeagentError
from edgeagent.files.resources import find_bundle
from edgeagent.qat.export.exports import export_reference
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.pictures.finding import evenly_spread, find_pictures
from edgeagent.qat.pictures.fitted import Fitted

LEAST_FILES = 3  # of --model
QUANTIZERS = ("nncf", "ai-edge-quantizer")
PACKAGES = ("nncf", "ai-edge-quantizer", "litert-torch", "onnxruntime", "openvino", "ai-edge-litert")


@dataclass
class Row:
    """Accuracy of one model in one engine.

    Attributes:
        model: float model.
        quantizer: tool and its settings.
        engine: engine with its version; empty where none was loaded.
        map50_95: COCO mAP; None where the tool or the engine failed.
        difference: mAP minus that of the first artefact of the first bundle.
        low: lower bound of its 95 % interval.
        high: upper bound.
        failure: error of the tool or the engine.
    """

    model: str
    quantizer: str
    engine: str = ""
    map50_95: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    failure: str = ""

    def line(self) -> str:
        """Return the row of a table in Markdown."""
        accuracy = self.failure if self.map50_95 is None else f"{self.map50_95:.3f}"
        difference = ""
        if self.difference is not None:
            difference = f"{self.difference:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"
        return f"| {self.model} | {self.quantizer} | {self.engine} | {accuracy} | {difference} |"


class Measurements:
    """Rows of one model, measured one after the other.

    Args:
        name: of the model.
        data: labelled pictures.
    """

    def __init__(self, name: str, data: LabelledPictures) -> None:
        self.rows: list[Row] = []
        self._name, self._data = name, data
        self._first: tuple[float, np.ndarray] | None = None

    def add(self, quantizer: str, load: Callable[[], Detector]) -> None:
        """Measure a model; the first one is what the others are compared with."""
        row = Row(self._name, quantizer)
        try:
            detector = load()
            facts = detector.engine.facts
            row.engine = f"{facts.engine} {facts.version}"
            self._measure(row, detect_all(detector, self._data))
            detector.engine.close()
        except EdgeagentError as error:
            row.failure = failure_text(error)
        self._keep(row)

    def add_failure(self, file: MadeFile) -> None:
        """Record the error of a tool."""
        self._keep(Row(self._name, file.quantizer, failure=file.failure))

    def _keep(self, row: Row) -> None:
        self.rows.append(row)
        print(row.line(), file=sys.stderr, flush=True)

    def _measure(self, row: Row, found: Found) -> None:
        row.map50_95 = mean_average_precision(found.truths, found.detections, found.labels).map50_95
        resampled = MatchedDetections(found).resampled()
        if self._first is None:
            self._first = row.map50_95, resampled
            return
        value, draws = self._first
        row.difference = row.map50_95 - value
        row.low, row.high = map_difference(resampled, draws)


def installed(package: str) -> bool:
    """Return whether a tool is installed; say that it is left out where not."""
    if find_spec(package.replace("-", "_")) is not None:
        return True
    print(f"{package} is not installed and is left out; pip install {package}", file=sys.stderr)
    return False


def measure_model(
    paths: Sequence[str],
    data: LabelledPictures,
    calibration: Sequence[Path],
    engines: Sequence[str],
    quantizers: Sequence[str],
) -> list[Row]:
    """Return the rows of a float model, its bundles and the other quantizers."""
    model, bundles = Path(paths[0]), [open_bundle(find_bundle(path)) for path in paths[2:]]
    description = describe_model(model, Path(paths[1]))
    pictures = Fitted(calibration, description.input)
    tensors = [pictures[place].numpy()[None] for place in range(len(pictures))]
    subject = Subject(model, description, read_graph(model, description.heads), tensors)
    measured = Measurements(model.stem, data)
    for bundle in bundles:
        for artefact in bundle.manifest.artefacts:
            for engine in engines_of(artefact.format, engines):
                if engine not in measuring_engines(artefact.format, artefact.grid) or artefact.grid == "b":
                    continue
                measured.add(
                    f"edgeagent, {bundle.directory.name}",
                    lambda b=bundle, e=engine, f=artefact.file: load_bundle_detector(
                        b, e, 0, IOU_THRESHOLD, f
                    ),
                )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reference = export_reference(subject.graph, folder)
        made = MadeFile("float", reference.path, "onnx", reference.outputs)
        measure_files(subject, [made], measured, engines)
        if "nncf" in quantizers and installed("nncf"):
            measure_files(subject, nncf_files(subject, folder), measured, engines)
        wanted = "ai-edge-quantizer" in quantizers
        if wanted and installed("ai-edge-quantizer") and installed("litert-torch"):
            measure_files(subject, ai_edge_files(subject, folder), measured, engines)
    return measured.rows


def measure_files(
    subject: Subject, files: Iterable[MadeFile], measured: Measurements, engines: Sequence[str]
) -> None:
    """Measure files as they are made, each in the engines that read it."""
    for file in files:
        if file.failure:
            measured.add_failure(file)
            continue
        for engine in engines_of(file.format, engines):
            measured.add(
                file.quantizer,
                lambda f=file, e=engine: load_detector(
                    subject.description, f.path, f.format, f.outputs, 0, IOU_THRESHOLD, e
                ),
            )


def engines_of(file_format: str, engines: Sequence[str]) -> Sequence[str]:
    """Return the engines of a format: those that are asked for, for ONNX."""
    return engines if file_format == "onnx" else ("tflite",)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = ["| model | quantizer | engine | mAP50-95 | difference |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *(row.line() for row in rows)])


def versions() -> dict[str, str]:
    """Return the versions of the tools and engines that are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model",
        nargs="+",
        action="append",
        required=True,
        metavar="FILE",
        help="ONNX file, description and bundles; repeat for more",
    )
    parser.add_argument("--images", type=Path, required=True, help="labelled pictures")
    parser.add_argument("--labels", type=Path, required=True, help="their YOLO labels")
    parser.add_argument("--calibrate", type=Path, required=True, help="pictures to calibrate on")
    parser.add_argument("--count", type=int, default=300, help="most pictures to calibrate on (default 300)")
    parser.add_argument(
        "--engine",
        nargs="+",
        choices=("onnxruntime", "openvino"),
        default=["onnxruntime"],
        help="engines of ONNX files (default onnxruntime)",
    )
    parser.add_argument(
        "--quantizer",
        nargs="+",
        choices=QUANTIZERS,
        default=QUANTIZERS,
        help="those to compare (default all)",
    )
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    arguments = parser.parse_args()
    if any(len(model) < LEAST_FILES for model in arguments.model):
        parser.error("--model: expected a float model, its description and at least one bundle")
    try:
        data = LabelledPictures.find(arguments.images, arguments.labels)
        calibration = evenly_spread(find_pictures([arguments.calibrate]), arguments.count)
        rows = [
            row
            for model in arguments.model
            for row in measure_model(model, data, calibration, arguments.engine, arguments.quantizer)
        ]
    except EdgeagentError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(data)} labelled pictures, {len(calibration)} to calibrate on; {versions()}\n\n{table(rows)}")
    if arguments.json:
        result = {
            "pictures": len(data),
            "calibration": len(calibration),
            "versions": versions(),
            "rows": [asdict(row) for row in rows],
        }
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
