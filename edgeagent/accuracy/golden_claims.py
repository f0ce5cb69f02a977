"""Making the labels of golden pictures, and measuring what artefacts claim with them.

Labels come from people, or else the float model's own detections take their place: then a claim says how far
an artefact agrees with the float model, and the bundle says so (``labelled_by: float model``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol

from edgeagent.accuracy.evaluation import IOU_THRESHOLD, evaluate_detector
from edgeagent.bundle.manifest import GridName, ModelDescription, OutputSpec
from edgeagent.datasets.yolo_labels import LabelledPictures, label_text
from edgeagent.detection.detector import Detector, load_detector
from edgeagent.engines.loading import READERS, available_engines
from edgeagent.imaging.picture import read_picture

SCORE_THRESHOLD = 0.3
"""From which score on a detection of the float model counts as an object: as in the agent's settings."""
TOLERANCE = 0.1
"""Of a claim. Engines differ in the rounding of single codes, and four pictures make much of one box."""


class Measurable(Protocol):
    """What can be measured: an entry of a manifest, or what was just exported."""

    @property
    def format(self) -> str:
        """As the manifest has it."""

    @property
    def grid(self) -> GridName:
        """As the manifest has it."""

    @property
    def outputs(self) -> Sequence[OutputSpec]:
        """Roles of its outputs."""


def labels_by(detector: Detector, pictures: Sequence[Path]) -> list[bytes]:
    """Return a label file for each picture, of what a detector finds from :data:`SCORE_THRESHOLD` on.

    Raises:
        DataError: a picture cannot be read.
        EngineError: the engine fails.
    """
    buffers, found = detector.allocate(), []
    for path in pictures:
        image = read_picture(path)
        height, width = image.shape[:2]
        found.append(label_text(detector.detect(image, buffers, SCORE_THRESHOLD), width, height))
    return found


def claims(
    description: ModelDescription, artefacts: Mapping[str, tuple[Path, Measurable]], data: LabelledPictures
) -> dict[str, float]:
    """Return the mAP50-95 of each artefact that an engine here reads, by its name.

    Of several engines the lowest is claimed. An artefact of grid ``b`` is measured in ONNX Runtime alone.

    Args:
        description: how the model is fed and decoded.
        artefacts: file and facts of each, by its name in the bundle.
        data: labelled golden pictures.

    Raises:
        NoAccuracyError: pycocotools is not installed, or the labels hold no object.
        EngineError, DataError: an artefact, picture or label file cannot be used.
    """
    found = {}
    for name, (path, artefact) in artefacts.items():
        engines = [one for one in READERS[artefact.format] if one in available_engines()]
        measured = []
        for engine in engines[:1] if artefact.grid == "b" else engines:
            detector = load_detector(
                description, path, artefact.format, artefact.outputs, 0, IOU_THRESHOLD, engine
            )
            measured.append(evaluate_detector(detector, data).map50_95)
            detector.engine.close()
        if measured:
            found[name] = round(min(measured), 4)
    return found


def label_file_name(picture: str) -> str:
    """Return the name of a golden picture's label file in the bundle, beside the picture."""
    return str(PurePosixPath(picture).with_suffix(".txt"))


def accuracy_entry(
    labels: Mapping[str, str],
    labelled_by: Literal["people", "float model"],
    claimed: Mapping[str, float],
) -> dict[str, Any]:
    """Return the section ``golden.accuracy`` of a manifest."""
    return {
        "labels": dict(labels),
        "labelled_by": labelled_by,
        "map50_95": dict(claimed),
        "tolerance": TOLERANCE,
    }
