"""Accuracy of occupied and free parking spaces, each space as a zone, on labelled pictures.

::

    python benchmarks/parking.py parking/sequence0 parking/sequence1 --bundle coco-nano --bundle coco-small

A sequence is a folder with ``frames`` and, for each picture, ``bounding_boxes/<name>.xml`` in the format of
PKLot (Almeida et al. 2015): spaces with ``occupied`` and a ``contour``. Single pictures have no history, so
zones change at once and every vehicle from the lowest score on counts; in a stream, tracker and debounce come
on top. Rules: the anchor ``bottom`` or ``center`` of a box is in the space, or the box covers half of
the space.
"""

from __future__ import annotations

import argparse
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgeagent.api.detector import open_detector
from edgeagent.settings.sections.zones import ObjectFilterSettings, ZoneSettings
from edgeagent.track.tracked_frame import TrackedFrame
from edgeagent.track.tracks import Tracks
from edgeagent.track.zone_occupancy import ZoneOccupancy
from edgeagent.vision.detections import Detections

VEHICLES = ("car", "truck", "bus", "motorcycle")
COVERED = 0.5
AT_ONCE = 1e-9
RULES = ("bottom", "center", "overlap")
COLOURS = {"hit": (0, 160, 0), "miss": (0, 0, 255), "false": (0, 165, 255), "free": (180, 180, 180)}


@dataclass(frozen=True)
class Space:
    """Parking space: (n, 2) float corners in pixels, and whether it is occupied."""

    corners: Any
    occupied: bool


def read_spaces(path: Path) -> list[Space]:
    """Return the spaces of a picture."""
    spaces = []
    for space in ElementTree.parse(path).getroot().iter("space"):  # noqa: S314  (development data)
        corners = [(float(point.attrib["x"]), float(point.attrib["y"])) for point in space.iter("point")]
        spaces.append(Space(np.array(corners, np.float32), space.attrib["occupied"] == "1"))
    return spaces


def read_sequence(sequence: Path) -> Iterator[tuple[str, Any, list[Space]]]:
    """Yield name, picture and spaces."""
    for picture in sorted((sequence / "frames").iterdir()):
        spaces = read_spaces(sequence / "bounding_boxes" / f"{picture.stem}.xml")
        yield picture.stem, cv2.imread(str(picture)), spaces


def occupied(rule: str, spaces: Sequence[Space], vehicles: Detections, size: tuple[int, int]) -> list[bool]:
    """Return which spaces a rule takes as occupied; ``size`` is width and height."""
    if rule == "overlap":
        return [any(covered(space.corners, box) >= COVERED for box in vehicles.boxes) for space in spaces]
    width, height = size
    count = len(vehicles)
    tracks = Tracks(
        ids=np.arange(1, count + 1),
        boxes=vehicles.boxes,
        scores=vehicles.scores,
        classes=vehicles.classes,
        source=np.arange(count, dtype=np.int32),
        hits=np.ones(count, np.int32),
        ages=np.zeros(count, np.float32),
        labels=vehicles.labels,
        ended=(),
    )
    frame = TrackedFrame(tracks, width, height, 0.0, datetime(2000, 1, 1, 12))
    found = []
    for number, space in enumerate(spaces):
        zone = ZoneOccupancy(
            ZoneSettings(
                name=f"space{number}",
                polygon=tuple((float(x) / width, float(y) / height) for x, y in space.corners),
                objects=ObjectFilterSettings(labels=VEHICLES),
                anchor=rule,  # type: ignore[arg-type]
                enter_after=AT_ONCE,
                occupied_after=AT_ONCE,
            )
        )
        zone.update(frame)
        found.append(bool(zone.occupied))
    return found


def covered(corners: Any, box: Any) -> float:
    """Return the share of a space that a box covers; the space is taken as convex."""
    x1, y1, x2, y2 = box.tolist()
    rectangle = np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float32)
    common, _ = cv2.intersectConvexConvex(cv2.convexHull(corners), rectangle)
    return float(common) / float(cv2.contourArea(corners))


def outcome(found: bool, true: bool) -> str:
    """Return the name of a result."""
    return ("hit" if true else "false") if found else ("miss" if true else "free")


def draw(image: Any, spaces: Sequence[Space], found: Sequence[bool], vehicles: Detections) -> None:
    """Draw boxes, and spaces in the colour of their result."""
    for box in vehicles.boxes.astype(int):
        cv2.rectangle(image, box[:2].tolist(), box[2:].tolist(), (255, 160, 0), 1)
    for space, one in zip(spaces, found, strict=True):
        cv2.polylines(image, [space.corners.astype(int)], True, COLOURS[outcome(one, space.occupied)], 2)


def describe(counts: Counter[str]) -> str:
    """Return counts, accuracy, precision and recall as cells of a table."""
    right, taken, true = (
        counts["hit"] + counts["free"],
        counts["hit"] + counts["false"],
        counts["hit"] + counts["miss"],
    )
    precision = f"{counts['hit'] / taken:.3f}" if taken else "-"
    recall = f"{counts['hit'] / true:.3f}" if true else "-"
    every = " | ".join(str(counts[name]) for name in ("hit", "miss", "false", "free"))
    return f"{every} | {right / counts.total():.3f} | {precision} | {recall} |"


def main() -> None:
    """Print one table a bundle."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sequences", type=Path, nargs="+", help="folder of a sequence")
    parser.add_argument("--bundle", action="append", help="repeatable (default: coco-nano and coco-small)")
    parser.add_argument("--score", type=float, nargs="+", default=[0.1, 0.2, 0.3, 0.4], help="lowest scores")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the last rule and score")
    options = parser.parse_args()
    for bundle in options.bundle or ["coco-nano", "coco-small"]:
        counts: dict[tuple[float, str, str], Counter[str]] = {}
        with open_detector(bundle, isolated=False, score_threshold=min(options.score)) as detector:
            for sequence in options.sequences:
                for name, image, spaces in read_sequence(sequence):
                    detections = detector(image)
                    named = [detections.labels[number] in VEHICLES for number in detections.classes]
                    size = (image.shape[1], image.shape[0])
                    for score in options.score:
                        vehicles = detections.take(np.array(named, bool) & (detections.scores >= score))
                        for rule in RULES:
                            found = occupied(rule, spaces, vehicles, size)
                            for key in (sequence.name, "all"):
                                counts.setdefault((score, rule, key), Counter()).update(
                                    outcome(one, space.occupied)
                                    for one, space in zip(found, spaces, strict=True)
                                )
                            if options.pictures and (score, rule) == (options.score[-1], "center"):
                                options.pictures.mkdir(parents=True, exist_ok=True)
                                shown = image.copy()
                                draw(shown, spaces, found, vehicles)
                                cv2.imwrite(str(options.pictures / f"{bundle}-{name}.png"), shown)
        columns = "score | rule | pictures | hit | missed | false | free | accuracy | precision | recall"
        print(f"\n{bundle}\n\n| {columns} |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        for (score, rule, key), found in sorted(counts.items()):
            print(f"| {score:g} | {rule} | {key} | {describe(found)}")


if __name__ == "__main__":
    main()
