"""Detections of the float model and of an artefact on the golden pictures, for the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeagent.bundle.evidence import PictureBoxes
from edgeagent.bundle.manifest import ModelDescription
from edgeagent.detection.detector import Detector, load_detector
from edgeagent.imaging.picture import read_picture
from edgeagent.qat.export.exports import Exported

SCORE_THRESHOLD = 0.3
IOU_THRESHOLD = 0.5


def find_boxes(
    description: ModelDescription, artefact: Exported, state: str, pictures: Sequence[Path]
) -> list[PictureBoxes]:
    """Return the detections of an artefact on each picture.

    Args:
        description: description of the model.
        artefact: exported file.
        state: state of the model: ``float``, ``ptq`` or ``qat``.
        pictures: files.
    """
    detector = load_detector(description, artefact.path, artefact.format, artefact.outputs, 0, IOU_THRESHOLD)
    found = boxes_of(detector, state, [(f"golden/{path.name}", path) for path in pictures])
    detector.engine.close()
    return found


def boxes_of(detector: Detector, state: str, pictures: Sequence[tuple[str, Path]]) -> list[PictureBoxes]:
    """Return the detections of a detector, loaded with :data:`IOU_THRESHOLD`, on pictures (name, file)."""
    buffers, found = detector.allocate(), []
    for name, path in pictures:
        detections = detector.detect(read_picture(path), buffers, SCORE_THRESHOLD)
        found.append(
            PictureBoxes(
                picture=name,
                state=state,
                boxes=tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in detections.boxes.round(1).tolist()),
                scores=tuple(round(float(score), 3) for score in detections.scores),
                classes=tuple(int(kind) for kind in detections.classes),
            )
        )
    return found
