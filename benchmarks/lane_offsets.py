"""How far the lane's centre that a model finds is from where the drawn lane really lies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from task_accuracy import ENGINES, float_detector

from edgeagent.accuracy.evaluation import IOU_THRESHOLD, SCORE_THRESHOLD
from edgeagent.bundle.reading import Bundle
from edgeagent.detection.detector import Detector, load_bundle_detector
from edgeagent.imaging.picture import read_picture

LANE = "lane"
ROW = 0.7
"""Row of the look ahead, in shares of the height; that of examples/lane_keeping.py."""


@dataclass(frozen=True)
class LaneTruth:
    """Where the own lane lies in a picture.

    Attributes:
        offset: of its centre in :data:`ROW` from the middle, in shares of the width; None where none is seen.
        heading: degrees in the picture; None in the same way.
    """

    offset: float | None
    heading: float | None


@dataclass(frozen=True)
class OffsetErrors:
    """Errors of one engine.

    Attributes:
        engine: its name.
        seen: pictures in which the lane is, and is found, at the row.
        missed: pictures in which it is and is not found.
        imagined: pictures in which it is not, and is found.
        absent: pictures in which it is not.
        median: absolute error of the offset, in percent of the width.
        p90: 90th percentile of it.
        heading: median absolute error of the heading, in degrees.
    """

    engine: str
    seen: int
    missed: int
    imagined: int
    absent: int
    median: float
    p90: float
    heading: float

    def line(self) -> str:
        """Return a row of a table in Markdown."""
        found = f"{self.missed} of {self.seen + self.missed} | {self.imagined} of {self.absent}"
        return f"| {self.engine} | {self.median:.2f} % | {self.p90:.2f} % | {self.heading:.1f} | {found} |"


def offset_errors(
    engine: str, detector: Detector, pictures: Sequence[Path], truths: Sequence[LaneTruth]
) -> OffsetErrors:
    """Return the errors of a loaded model on pictures."""
    buffers, offsets, headings = detector.allocate(), list[float](), list[float]()
    missed = imagined = absent = 0
    for path, truth in zip(pictures, truths, strict=True):
        found = detector.detect(read_picture(path), buffers, SCORE_THRESHOLD).named(
            detector.description.labels
        )
        line = None if found.class_map is None else found.class_map.centre_line(LANE, ROW)
        if truth.offset is None or truth.heading is None:
            absent += 1
            imagined += line is not None
        elif line is None:
            missed += 1
        else:
            offsets.append(100 * abs(line.offset - truth.offset))
            headings.append(abs(line.heading - truth.heading))
    median, p90 = (float(value) for value in np.percentile(offsets, [50, 90]))
    return OffsetErrors(
        engine, len(offsets), missed, imagined, absent, median, p90, float(np.median(headings))
    )


def measure_offsets(
    bundle: Bundle, model: Path, pictures: Sequence[Path], truths: Sequence[LaneTruth]
) -> Iterable[OffsetErrors]:
    """Give the errors of the float model, then those of the bundle in each engine."""
    yield offset_errors("float", float_detector(model), pictures, truths)
    for name in ENGINES:
        detector = load_bundle_detector(bundle, name, 0, IOU_THRESHOLD)
        facts = detector.engine.facts
        yield offset_errors(f"{facts.engine} {facts.version}", detector, pictures, truths)
        detector.engine.close()


def print_offsets(
    bundle: Bundle, model: Path, pictures: Sequence[Path], truths: Sequence[LaneTruth], out: Path | None
) -> None:
    """Print the errors of the float model and of each engine.

    Args:
        bundle: to measure.
        model: its float model.
        pictures: to measure on.
        truths: of each of them.
        out: JSON file to write, too.
    """
    print(
        f"\nlane's centre in row {ROW} of {len(pictures)} pictures: absolute errors, percent of the width\n"
    )
    print("| engine | median | p90 | heading, degrees | missed | imagined |\n|---|---|---|---|---|---|")
    rows = []
    for row in measure_offsets(bundle, model, pictures, truths):
        print(row.line(), flush=True)
        rows.append(asdict(row))
    if out is not None:
        out.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
