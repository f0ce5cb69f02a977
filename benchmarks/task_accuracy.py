"""Accuracy of a bundle in each engine beside that of its float model, on labelled pictures of any task."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edgeagent.accuracy.agreement import Agreement, agreement
from edgeagent.accuracy.evaluation import (
    IOU_THRESHOLD,
    SCORE_THRESHOLD,
    compare_evaluations,
    evaluate_model,
    measured_value,
)
from edgeagent.bundle.model_description import describe_model
from edgeagent.bundle.reading import Bundle
from edgeagent.datasets.labels import LabelledData
from edgeagent.detection.detector import Detector, build_detector, load_bundle_detector
from edgeagent.engines.loading import load_engine
from edgeagent.imaging.picture import read_picture
from edgeagent.qat.export.cut_model import decodable_file

ENGINES = ("onnxruntime", "tflite", "openvino")
LARGEST_LOSS = 0.005
"""Loss against the float model that is the goal: half a point."""
SHOWN_SCORE = 0.3
"""Score of the objects that are compared one by one."""


@dataclass(frozen=True)
class EngineAccuracy:
    """Accuracy of a bundle in one engine.

    Attributes:
        engine: engine with its version.
        measure: name of the measure.
        value: measure of the bundle, 0..1.
        difference: value minus that of the float model.
        low: lower bound of the 95 % interval of the difference (paired bootstrap over pictures).
        high: upper bound.
        same: share of pictures, of a segmenter of pixels, with the class that the float model gives them; of
            objects that both find.
    """

    engine: str
    measure: str
    value: float
    difference: float
    low: float
    high: float
    same: float

    def line(self) -> str:
        """Return a row of a table in Markdown."""
        interval = f"{self.difference:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"
        return f"| {self.engine} | {self.measure} {self.value:.4f} | {interval} | {self.same:.4f} |"


def float_detector(model: Path) -> Detector:
    """Return the float model in ONNX Runtime; its description lies beside it."""
    description = describe_model(model)
    with tempfile.TemporaryDirectory() as folder:
        found = decodable_file(model, description, Path(folder))
        engine = load_engine(found.path, "onnx", 0, "onnxruntime")
        return build_detector(description, engine, found.outputs, str(model), IOU_THRESHOLD)


def found_alike(one: Detector, other: Detector, pictures: Sequence[Path]) -> float:
    """Return the share of the objects of two models that both find, matched by box and class."""
    buffers, total = (one.allocate(), other.allocate()), Agreement()
    for picture in pictures:
        image = read_picture(picture)
        pairs = zip((one, other), buffers, strict=True)
        total += agreement(*(detector.detect(image, own, SHOWN_SCORE) for detector, own in pairs))
    return total.share or 0.0


def given_classes(detector: Detector, pictures: Sequence[Path]) -> list[np.ndarray]:
    """Return the class of each picture, or of each of its cells."""
    buffers, classes = detector.allocate(), []
    for picture in pictures:
        found = detector.detect(read_picture(picture), buffers, SCORE_THRESHOLD)
        if found.class_map is not None:
            classes.append(found.class_map.cells)
        elif found.classification is not None:
            classes.append(np.array(np.argmax(found.classification.scores)))
    return classes


def measure_engines(bundle: Bundle, model: Path, data: LabelledData) -> tuple[float, list[EngineAccuracy]]:
    """Return the measure of the float model and the accuracy of the bundle in each engine."""
    reference = float_detector(model)
    expected, known = evaluate_model(reference, data), given_classes(reference, data.pictures)
    rows = []
    for name in ENGINES:
        detector = load_bundle_detector(bundle, name, 0, IOU_THRESHOLD)
        own, facts = evaluate_model(detector, data), detector.engine.facts
        against = compare_evaluations(own, expected)
        classes = given_classes(detector, data.pictures)
        same = np.mean([np.mean(a == b) for a, b in zip(classes, known, strict=True)]) if classes else None
        if same is None:
            same = found_alike(detector, reference, data.pictures)
        rows.append(
            EngineAccuracy(
                f"{facts.engine} {facts.version}",
                own.measure.title,
                measured_value(own),
                against.difference,
                against.low,
                against.high,
                float(same),
            )
        )
        detector.engine.close()
    return measured_value(expected), rows


def print_accuracy(
    bundle: Bundle, model: Path, data: LabelledData, out: Path | None, what: str = "pictures"
) -> bool:
    """Print the table of a bundle; return whether every engine loses at most :data:`LARGEST_LOSS`.

    Args:
        bundle: to measure.
        model: its float model.
        data: pictures that were neither trained on nor chosen by.
        out: JSON file to write, too.
        what: name of the pictures.
    """
    value, rows = measure_engines(bundle, model, data)
    print(f"\n{len(data)} {what}, float {rows[0].measure} {value:.4f}\n")
    print("| engine | INT8 | minus float, 95 % interval | same as float |\n|---|---|---|---|")
    for row in rows:
        print(row.line(), flush=True)
    if out is not None:
        found = {"pictures": len(data), "float": value, "engines": [asdict(row) for row in rows]}
        out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return all(row.difference >= -LARGEST_LOSS for row in rows)


def add_accuracy_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that the benchmarks of tasks share."""
    parser.add_argument("--work", type=Path, required=True, help="folder for pictures, models and the bundle")
    parser.add_argument("--steps", type=int, default=0, help="steps of training (default: calibration only)")
    parser.add_argument("--json", type=Path, help="file for the numbers")
