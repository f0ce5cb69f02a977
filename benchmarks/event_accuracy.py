"""Precision and recall of line crossings and zone entries on clips that were counted by eye.

::

    python benchmarks/event_accuracy.py --clips ../shared/video

Detections of a clip are made once a bundle, and each tracker follows them in the scene of a camera with
default settings, as ``edgeagent replay`` does. The truth is in ``event_truth``: seconds in the clip of each
crossing and entry. An event is right where a true one of its line and direction, or of its zone, is within
1.5 s and no other event takes it.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import numpy as np
import yaml

from edgeagent.api.detector import open_detector
from edgeagent.camera.clip import ClipSource
from edgeagent.events.building import build_scene, score_thresholds
from edgeagent.imaging.frame import Frame
from edgeagent.settings.schema import Settings
from edgeagent.track.choice import TrackerName
from edgeagent.vision.detections import Detections

TRUTH = Path(__file__).parent / "event_truth"
WITHIN_S = 1.5
NOON = datetime(2000, 1, 1, 12)
Times = dict[tuple[str, str], list[float]]
"""Seconds in the clip by kind (line or zone), and name with direction."""


def settings_of(truth: dict[str, Any], tracker: str) -> Settings:
    """Return the default settings with the lines and zones of a truth."""
    camera = {"name": "clip", "source": "0"} | truth["camera"]
    return Settings.model_validate({"cameras": [camera], "tracking": {"tracker": tracker}})


def detect(clip: Path, settings: Settings, bundle: str) -> tuple[list[Detections], float, tuple[int, int]]:
    """Return the detections of each frame, frames/s, and height and width."""
    found, size = [], (0, 0)
    score = score_thresholds(settings).candidates
    with (
        closing(ClipSource(clip)) as source,
        open_detector(
            bundle, isolated=False, score_threshold=score, iou_threshold=settings.model.iou_threshold
        ) as detector,
    ):
        source.open()
        while (image := source.read(None)) is not None:
            found.append(detector(image))
            size = image.shape[0], image.shape[1]
        return found, source.facts.fps or 25.0, size


def observe(
    settings: Settings, detections: Sequence[Detections], fps: float, size: tuple[int, int]
) -> Iterator[tuple[str, str, float]]:
    """Yield kind, name and seconds of each event of people."""
    scene, image = build_scene(settings.cameras[0], settings), np.zeros((*size, 3), np.uint8)
    for number, found in enumerate(detections):
        seconds = number / fps
        report = scene.update(Frame(image, number, round(seconds * 1e9), seconds), found, NOON)
        for crossing in report.crossings:
            if crossing.label == "person":
                yield "line", f"{crossing.line} {crossing.direction}", seconds
        for change in report.zone_changes:
            if (change.what, change.label) == ("enter", "person"):
                yield "zone", change.zone, seconds


def true_times(truth: dict[str, Any]) -> Times:
    """Return the counted events."""
    lines = {
        ("line", f"{name} {way}"): times
        for name, ways in truth["lines"].items()
        for way, times in ways.items()
    }
    return lines | {("zone", name): times for name, times in truth["zones"].items()}


def match(true: Sequence[float], found: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return the true times without an event, and the events without a true time; the nearest pair first."""
    pairs = sorted((abs(a - b), i, j) for i, a in enumerate(true) for j, b in enumerate(found))
    used: tuple[set[int], set[int]] = set(), set()
    for apart, one, other in pairs:
        if apart <= WITHIN_S and one not in used[0] and other not in used[1]:
            used[0].add(one)
            used[1].add(other)
    missed = [time for number, time in enumerate(true) if number not in used[0]]
    return missed, [time for number, time in enumerate(found) if number not in used[1]]


def compare(truth: dict[str, Any], events: Iterator[tuple[str, str, float]]) -> dict[str, Counter[str]]:
    """Print what differs; return right, missed and false by kind."""
    found: Times = {}
    for kind, name, seconds in events:
        found.setdefault((kind, name), []).append(round(seconds, 1))
    counts: dict[str, Counter[str]] = {"line": Counter(), "zone": Counter()}
    for (kind, name), true in true_times(truth).items():
        missed, false = match(true, found.pop((kind, name), []))
        counts[kind] += Counter(right=len(true) - len(missed), missed=len(missed), false=len(false))
        if missed or false:
            print(f"  {kind} {name}: missed at {missed} s, false at {false} s")
    for (kind, name), times in found.items():
        counts[kind]["false"] += len(times)
        print(f"  {kind} {name}: false at {times} s")
    return counts


def describe(kind: str, counts: Counter[str]) -> str:
    """Return precision and recall with their counts."""
    right = counts["right"]
    told, true = right + counts["false"], right + counts["missed"]
    precision, recall = (f"{right / n:.3f} ({right}/{n})" if n else "-" for n in (told, true))
    return f"{kind} precision {precision}, recall {recall}"


def main() -> None:
    """Print precision and recall for each clip, bundle and tracker, and over all clips."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("truth", type=Path, nargs="*", help="truth of a clip (default: all)")
    parser.add_argument("--clips", type=Path, required=True, help="folder of the clips")
    parser.add_argument("--bundle", action="append", help="repeatable (default: coco-nano and coco-small)")
    options = parser.parse_args()
    for bundle in options.bundle or ["coco-nano", "coco-small"]:
        totals: dict[str, dict[str, Counter[str]]] = {}
        for path in options.truth or sorted(TRUTH.glob("*.yaml")):
            truth = yaml.safe_load(path.read_text(encoding="utf-8"))
            trackers = get_args(TrackerName)
            detected = detect(options.clips / truth["clip"], settings_of(truth, trackers[0]), bundle)
            for tracker in trackers:
                print(f"{truth['clip']}, {bundle}, {tracker}")
                counts = compare(truth, observe(settings_of(truth, tracker), *detected))
                for kind, found in counts.items():
                    print(f"  {describe(kind, found)}")
                    totals.setdefault(tracker, {}).setdefault(kind, Counter()).update(found)
        for tracker, counts in totals.items():
            for kind, found in counts.items():
                print(f"all clips, {bundle}, {tracker}: {describe(kind, found)}")


if __name__ == "__main__":
    main()
