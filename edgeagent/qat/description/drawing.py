"""Pictures with the boxes of several trials side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edgeagent.imaging.frame import Image
from edgeagent.qat.core.work_file import write_work_file
from edgeagent.qat.description.score import CONFIDENT
from edgeagent.qat.description.trials import Trial
from edgeagent.vision.draw import BLACK, FONT, draw

WIDTH, STRIP = 480, 24
"""Width of one picture and height of its caption, pixels."""
QUALITY = 85
WHITE = 255


def draw_trials(
    folder: Path, pictures: Sequence[tuple[Path, Image]], trials: Sequence[Trial], labels: Sequence[str]
) -> list[Path]:
    """Write each picture with the boxes of every trial side by side, as JPEG.

    Args:
        folder: an existing folder.
        pictures: file and (height, width, 3) uint8 BGR of the first pictures of the trials.
        trials: from left to right; boxes of at least :data:`CONFIDENT` are drawn.
        labels: names of the classes.

    Returns:
        The files.

    Raises:
        EdgeagentError: a file cannot be written.
    """
    written = []
    for position, (path, picture) in enumerate(pictures):
        panels = [_panel(picture, trial, position, labels) for trial in trials]
        _, content = cv2.imencode(".jpg", np.hstack(panels), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        written.append(folder / f"{path.stem}.jpg")
        write_work_file(written[-1], content.tobytes())
    return written


def _panel(picture: Image, trial: Trial, position: int, labels: Sequence[str]) -> Image:
    found = trial.found[position]
    found = found.take(found.scores >= CONFIDENT)
    scale = WIDTH / picture.shape[1]
    size = (WIDTH, max(1, round(picture.shape[0] * scale)))
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    found.boxes[:] *= np.float32(scale)  # take has copied them
    draw(small, found, labels)
    strip = np.full((STRIP, WIDTH, 3), WHITE, np.uint8)
    caption = f"{trial.preprocessing.name}: {trial.score:.3f}"
    cv2.putText(strip, caption, (6, STRIP - 7), FONT, 0.45, BLACK, 1, cv2.LINE_AA)
    return np.vstack([strip, small])
