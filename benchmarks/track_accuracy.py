"""Accuracy of the trackers on labelled sequences, beside those of other packages.

::

    pip install trackeval trackers
    python benchmarks/track_accuracy.py mot/TUD-Campus --fps 25 --bundle coco-nano --bundle coco-small

A sequence is a folder in the format of MOTChallenge 2015 with ``img1``, ``gt/gt.txt`` and ``det/det.txt``.
HOTA (Luiten et al. 2021), IDF1, MOTA and identity switches are those of TrackEval, over all given
sequences; detections are the given ones, whose scores s become s / (s + 20), and the people that bundles
find. ``--every`` keeps each n-th frame only.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from package_trackers import OPTIONS, Follow, makers

from edgeagent.api.detector import open_detector
from edgeagent.vision.detections import Detections
from edgeagent.vision.nms import intersection_over_union

HALF_SCORE = 20.0  # of given detections, whose scores have no upper bound
Boxes = dict[int, Any]


def read_text(path: Path) -> Any:
    """Return the lines of a MOTChallenge file as (n, 7 or more) float64."""
    return np.loadtxt(path, delimiter=",", ndmin=2)


def given_detections(sequence: Path, frames: Sequence[int]) -> list[Detections]:
    """Return the given detections of each frame."""
    lines = read_text(sequence / "det" / "det.txt")
    found = []
    for frame in frames:
        of_frame = lines[lines[:, 0] == frame]
        scores = np.maximum(of_frame[:, 6], 0)
        found.append(
            Detections(
                corners(of_frame[:, 2:6]),
                (scores / (scores + HALF_SCORE)).astype(np.float32),
                np.zeros(len(of_frame), np.int32),
                ("person",),
            )
        )
    return found


def corners(boxes: Any) -> Any:
    """Return left, top, width, height as x1, y1, x2, y2."""
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1).astype(np.float32)


def detect(sequence: Path, frames: Sequence[int], bundle: str) -> list[Detections]:
    """Return the people that a bundle finds in each frame."""
    found = []
    with open_detector(bundle, isolated=False, score_threshold=OPTIONS.low) as detector:
        person = detector.labels.index("person")
        for frame in frames:
            detections = detector(cv2.imread(str(sequence / "img1" / f"{frame:06}.jpg")))
            found.append(detections.take(detections.classes == person))
    return found


def follow_all(follow: Follow, detections: Sequence[Detections], seconds: float) -> list[Any]:
    """Return ids and boxes of each frame."""
    return [follow(of_frame, number * seconds) for number, of_frame in enumerate(detections)]


def evaluation_data(truth: Any, frames: Sequence[int], followed: Sequence[Any]) -> dict[str, Any]:
    """Return one sequence as TrackEval's metrics read it."""
    true_numbers = {number: index for index, number in enumerate(np.unique(truth[:, 1]))}
    numbers: dict[int, int] = {}
    data: dict[str, Any] = {"gt_ids": [], "tracker_ids": [], "similarity_scores": []}
    for frame, (ids, boxes) in zip(frames, followed, strict=True):
        of_frame = truth[truth[:, 0] == frame]
        data["gt_ids"].append(np.array([true_numbers[number] for number in of_frame[:, 1]], int))
        data["tracker_ids"].append(np.array([numbers.setdefault(i, len(numbers)) for i in ids.tolist()], int))
        overlap = intersection_over_union(corners(of_frame[:, 2:6]), boxes)
        data["similarity_scores"].append(overlap.astype(float))
    return data | {
        "num_timesteps": len(frames),
        "num_gt_ids": len(true_numbers),
        "num_tracker_ids": len(numbers),
        "num_gt_dets": sum(map(len, data["gt_ids"])),
        "num_tracker_dets": sum(map(len, data["tracker_ids"])),
    }


def measure(sequences: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return HOTA, IDF1, MOTA in percent and the number of identity switches."""
    from trackeval.metrics import CLEAR, HOTA, Identity

    with contextlib.redirect_stdout(io.StringIO()):
        results = {}
        for metric in (HOTA(), Identity({"PRINT_CONFIG": False}), CLEAR({"PRINT_CONFIG": False})):
            each = {str(index): metric.eval_sequence(data) for index, data in enumerate(sequences)}
            results |= metric.combine_sequences(each)
    return {
        "HOTA": 100 * float(np.mean(results["HOTA"])),
        "IDF1": 100 * results["IDF1"],
        "MOTA": 100 * results["MOTA"],
        "IDSW": results["IDSW"],
    }


def print_table(title: str, rows: Sequence[tuple[str, dict[str, float]]]) -> None:
    """Print one table in Markdown."""
    print(f"\n{title}\n\n| tracker | HOTA | IDF1 | MOTA | identity switches |\n|---|---|---|---|---|")
    for name, row in rows:
        print(f"| {name} | {row['HOTA']:.1f} | {row['IDF1']:.1f} | {row['MOTA']:.1f} | {row['IDSW']:.0f} |")


def main() -> None:
    """Print one table for each kind of detections and frame rate."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sequences", type=Path, nargs="+", help="folder of a sequence")
    parser.add_argument("--fps", type=float, default=25.0, help="frames/s of the sequences")
    parser.add_argument(
        "--bundle", action="append", default=[], help="detections of a bundle too; repeatable"
    )
    parser.add_argument("--every", type=int, nargs="+", default=[1], help="keep each n-th frame only")
    options = parser.parse_args()
    sources: dict[str, Callable[[Path, Sequence[int]], list[Detections]]] = {"given": given_detections}
    for bundle in options.bundle:
        sources[bundle] = lambda sequence, frames, bundle=bundle: detect(sequence, frames, bundle)
    for source, detections_of in sources.items():
        truths = [read_text(sequence / "gt" / "gt.txt") for sequence in options.sequences]
        frames = [list(range(1, int(truth[:, 0].max()) + 1)) for truth in truths]
        every = [
            detections_of(sequence, numbers)
            for sequence, numbers in zip(options.sequences, frames, strict=True)
        ]
        for step in options.every:
            rows = []
            for name, make in makers(options.fps / step):
                data = [
                    evaluation_data(
                        truth, numbers[::step], follow_all(make(), detections[::step], step / options.fps)
                    )
                    for truth, numbers, detections in zip(truths, frames, every, strict=True)
                ]
                rows.append((name, measure(data)))
            print_table(f"{source} detections, {options.fps / step:.3g} frames/s", rows)


if __name__ == "__main__":
    main()
