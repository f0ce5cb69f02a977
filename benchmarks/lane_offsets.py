"""How far the lane's centre that a model finds is from where the drawn lane really lies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from task_accuracy import ENGINES, float_detector

from edgeagent.accuracy.evaluation import IOU_THRESHOLD, SCORE_THRESHOLD
from edgeagent.bundle.reading import Bundle
from edgeagent.datasets.class_masks import open_mask
from edgeagent.detection.detector import Detector, load_bundle_detector
from edgeagent.imaging.picture import read_picture
from edgeagent.vision.centre_line import CentreLine
from edgeagent.vision.class_map import ClassMap

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


def found_lines(detector: Detector, pictures: Sequence[Path]) -> Iterator[CentreLine | None]:
    """Give the lane's centre line that a loaded model finds in each picture."""
    buffers, labels = detector.allocate(), detector.description.labels
    for path in pictures:
        found = detector.detect(read_picture(path), buffers, SCORE_THRESHOLD).named(labels).class_map
        yield None if found is None else found.centre_line(LANE, ROW)


def drawn_lines(pictures: Sequence[Path], masks: Path) -> Iterator[CentreLine | None]:
    """Give the centre line of the exact mask of each picture."""
    for path in pictures:
        cells = open_mask(masks / f"{path.stem}.png", path, 2).read()
        yield ClassMap(cells, (cells.shape[0], cells.shape[1]), ("background", LANE)).centre_line(LANE, ROW)


def offset_errors(
    engine: str, lines: Iterable[CentreLine | None], truths: Sequence[LaneTruth]
) -> OffsetErrors:
    """Return the errors of the centre lines of pictures."""
    offsets, headings = list[float](), list[float]()
    missed = imagined = absent = 0
    for line, truth in zip(lines, truths, strict=True):
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
    bundle: Bundle, model: Path, pictures: Sequence[Path], masks: Path, truths: Sequence[LaneTruth]
) -> Iterator[OffsetErrors]:
    """Give the errors of the exact masks, of the float model, and of the bundle in each engine."""
    yield offset_errors("exact mask", drawn_lines(pictures, masks), truths)
    yield offset_errors("float", found_lines(float_detector(model), pictures), truths)
    for name in ENGINES:
        detector = load_bundle_detector(bundle, name, 0, IOU_THRESHOLD)
        facts = detector.engine.facts
        yield offset_errors(f"{facts.engine} {facts.version}", found_lines(detector, pictures), truths)
        detector.engine.close()


def print_offsets(
    bundle: Bundle, model: Path, pictures: Sequence[Path], masks: Path, truths: Sequence[LaneTruth], out: Path
) -> None:
    """Print the errors of the exact masks, of the float model, and of each engine.

    Args:
        bundle: to measure.
        model: its float model.
        pictures: to measure on.
        masks: folder of their masks.
        truths: of each of them.
        out: JSON file to write.
    """
    print(
        f"\nlane's centre in row {ROW} of {len(pictures)} pictures: absolute errors, percent of the width\n"
    )
    print("| engine | median | p90 | heading, degrees | missed | imagined |\n|---|---|---|---|---|---|")
    rows = []
    for row in measure_offsets(bundle, model, pictures, masks, truths):
        print(row.line(), flush=True)
        rows.append(asdict(row))
    out.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
