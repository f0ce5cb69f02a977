"""What the float model and the artefact find on the golden pictures, for the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeagent.bundle.evidence import PictureBoxes
from edgeagent.bundle.manifest import ModelDescription
from edgeagent.camera.picture import read_picture
from edgeagent.detector import load_detector
from edgeagent.qat.exports import Exported

SCORE_THRESHOLD = 0.3
IOU_THRESHOLD = 0.5


def find_boxes(
    description: ModelDescription, artefact: Exported, state: str, pictures: Sequence[Path]
) -> list[PictureBoxes]:
    """Return what an artefact finds on each picture; ``state`` is that of the model."""
    detector = load_detector(description, artefact.path, artefact.format, artefact.outputs, 0, IOU_THRESHOLD)
    buffers = detector.allocate()
    found = []
    for path in pictures:
        detections = detector.detect(read_picture(path), buffers, SCORE_THRESHOLD)
        found.append(
            PictureBoxes(
                picture=f"golden/{path.name}",
                state=state,
                boxes=tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in detections.boxes.round(1).tolist()),
                scores=tuple(round(float(score), 3) for score in detections.scores),
                classes=tuple(int(kind) for kind in detections.classes),
            )
        )
    detector.engine.close()
    return found
