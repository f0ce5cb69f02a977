"""Time of the trackers for one frame, beside those of other packages.

::

    pip install trackers
    python benchmarks/tracking.py --boxes 10 50 200 500

Objects walk over a picture of 1920 x 1080 pixels at 10 frames/s; each is missed in one frame of twenty, and
one detection in ten is weak. The trackers get the same frames in turns, ``--rounds`` times; the time of a
frame is the least of all rounds, so that other programs of the machine count little.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from package_trackers import Follow, makers

from edgeagent.vision.detections import Detections

FPS = 10.0
WARM_UP = 20  # frames
PICTURE = np.array([1920.0, 1080.0])
COVERED = 1.5
"""Sum of the areas of all boxes by that of the picture, with 200 boxes; sizes are the same for all counts."""
LABELS = ("person", "car")


def walk(count: int, frames: int, seed: int = 1) -> list[Detections]:
    """Return the detections of ``count`` objects in each frame."""
    rng = np.random.default_rng(seed)
    height = np.sqrt(COVERED * PICTURE.prod() / 200 / 0.4) * rng.uniform(0.5, 1.2, count)
    size = np.stack([0.4 * height, height], axis=1)
    centre = rng.uniform(0, PICTURE, (count, 2))
    velocity = rng.normal(0, 0.5, (count, 2)) * height[:, None]
    classes = rng.integers(0, len(LABELS), count).astype(np.int32)
    found = []
    for _ in range(frames):
        centre = (centre + velocity / FPS) % PICTURE
        seen = rng.random(count) > 0.05
        noisy = centre + rng.normal(0, 0.02, (count, 2)) * size
        boxes = np.concatenate([noisy - size / 2, noisy + size / 2], axis=1)[seen]
        weak = rng.random(count) < 0.1
        scores = np.where(weak, 0.3, rng.uniform(0.5, 0.95, count))[seen]
        found.append(Detections(boxes.astype(np.float32), scores.astype(np.float32), classes[seen], LABELS))
    return found


def measure(
    trackers: Mapping[str, Callable[[], Follow]], frames: Sequence[Detections], rounds: int
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the milliseconds of each tracker for each frame, the least of all rounds."""
    spent: dict[str, list[list[int]]] = {name: [] for name in trackers}
    for _ in range(rounds):
        for name, make in trackers.items():
            follow = make()
            spent[name].append([])
            for number, detections in enumerate(frames):
                start = time.perf_counter_ns()
                follow(detections, number / FPS)
                spent[name][-1].append(time.perf_counter_ns() - start)
    return {name: np.min(times, axis=0) / 1e6 for name, times in spent.items()}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--boxes", type=int, nargs="+", default=[10, 50, 200, 500])
    parser.add_argument("--frames", type=int, default=100, help="frames that count; the first 20 do not")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    trackers = {name: make for name, make in makers(FPS) if "our thresholds" not in name}
    print("| objects | tracker | p50 ms | p99 ms | ratio |\n|---|---|---|---|---|")
    for count in options.boxes:
        spent = measure(trackers, walk(count, options.frames + WARM_UP), options.rounds)
        first = np.median(next(iter(spent.values()))[WARM_UP:])
        for name, times in spent.items():
            p50, p99 = np.percentile(times[WARM_UP:], [50, 99])
            print(f"| {count} | {name} | {p50:.3f} | {p99:.3f} | {p50 / first:.1f} |", flush=True)


if __name__ == "__main__":
    main()
