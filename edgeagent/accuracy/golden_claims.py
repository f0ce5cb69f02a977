"""Labels of golden pictures, and the accuracy claims of a bundle's artefacts that are measured with them.

Labels are made by people or from the detections of the float model. In the second case a claim is the
agreement with the float model, and the bundle states it (``labelled_by: float model``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol

from edgeagent.accuracy.evaluation import IOU_THRESHOLD, evaluate_model, measured_value
from edgeagent.bundle.manifest import GridName, ModelDescription, OutputSpec
from edgeagent.bundle.task import Measure
from edgeagent.datasets.labelled_pixels import outline_text
from edgeagent.datasets.yolo_labels import LabelledPictures, label_text, whole_picture_text
from edgeagent.detection.detector import Detector, load_detector
from edgeagent.engines.loading import measuring_engines
from edgeagent.imaging.picture import read_picture

SCORE_THRESHOLD = 0.3
"""Lowest score of a float model's detection that becomes a label: the default of the agent's settings."""
TOLERANCE = 0.1
"""Tolerance of a claim: engines round differently, and with a few pictures a single box has great weight."""


class Measurable(Protocol):
    """Artefact that can be measured: a manifest entry, or a fresh export."""

    @property
    def format(self) -> str:
        """Format, as in the manifest."""

    @property
    def grid(self) -> GridName:
        """Quantization grid, as in the manifest."""

    @property
    def outputs(self) -> Sequence[OutputSpec]:
        """Names and roles of its outputs."""


def labels_by(detector: Detector, pictures: Sequence[Path]) -> list[bytes]:
    """Return the content of a YOLO label file for each picture, from what a model finds.

    Raises:
        DataError: a picture cannot be read.
        EngineError: the engine fails.
    """
    buffers, found = detector.allocate(), []
    for path in pictures:
        image = read_picture(path)
        height, width = image.shape[:2]
        result = detector.detect(image, buffers, SCORE_THRESHOLD)
        if result.classification is not None:
            found.append(whole_picture_text(result.classification.class_index))
        elif result.class_map is not None:
            found.append(outline_text(result.class_map.in_picture(), detector.description.labels))
        else:
            found.append(label_text(result, width, height))
    return found


def claims(
    description: ModelDescription, artefacts: Mapping[str, tuple[Path, Measurable]], data: LabelledPictures
) -> dict[str, float]:
    """Return the accuracy of each artefact that an engine on this machine can load, by name.

    The claim is the lowest result of the engines that measure an artefact
    (:func:`edgeagent.engines.loading.measuring_engines`).

    Args:
        description: preprocessing and decoding of the model.
        artefacts: file and properties of each artefact, by its name in the bundle.
        data: labelled golden pictures.

    Raises:
        NoAccuracyError: pycocotools is not installed, or there is no labelled object.
        EngineError, DataError: an artefact, picture or label file cannot be used.
    """
    found = {}
    for name, (path, artefact) in artefacts.items():
        measured = []
        for engine in measuring_engines(artefact.format, artefact.grid):
            detector = load_detector(
                description, path, artefact.format, artefact.outputs, 0, IOU_THRESHOLD, engine
            )
            measured.append(measured_value(evaluate_model(detector, data)))
            detector.engine.close()
        if measured:
            found[name] = round(min(measured), 4)
    return found


def label_file_name(picture: str) -> str:
    """Return the name of a golden picture's label file in the bundle, in the folder of the picture."""
    return str(PurePosixPath(picture).with_suffix(".txt"))


def accuracy_entry(
    labels: Mapping[str, str],
    labelled_by: Literal["people", "float model"],
    claimed: Mapping[str, float],
    measure: Measure,
) -> dict[str, Any]:
    """Return the section ``golden.accuracy`` of a manifest.

    Args:
        labels: label file by picture.
        labelled_by: source of the labels.
        claimed: accuracy by artefact, 0..1.
        measure: measure of the task.
    """
    return {
        "labels": dict(labels),
        "labelled_by": labelled_by,
        measure.field: dict(claimed),
        "tolerance": TOLERANCE,
    }
