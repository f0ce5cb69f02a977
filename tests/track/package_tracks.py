"""A fixed sequence with the ids that the package ``trackers`` gives, in package_tracks.json.

``python -m tests.track.package_tracks`` makes it again; it was made with trackers 2.6.1, its thresholds
those of :class:`~edgeagent.track.tracker.TrackerOptions`. The file has, for each frame at 25 frames/s, rows
of ``x1, y1, x2, y2, score`` and for each tracker the ids in the order of the rows, -1 for none.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from edgeagent.track.tracker import TrackerOptions
from tests.track.scenes import Walker, detect

FILE = Path(__file__).with_name("package_tracks.json")
FPS = 25
FRAMES = 100


def walkers() -> list[Walker]:
    """Return people who cross, stand, and are hidden for a moment."""
    rng = np.random.default_rng(7)
    found = []
    for number in range(12):
        height = float(rng.uniform(80, 180))
        hidden = float(rng.uniform(0.5, 3))
        found.append(
            Walker(
                (float(rng.uniform(0, 640)), 150 + 15.0 * number),
                (float(rng.choice([-0.7, -0.4, 0.0, 0.4, 0.7])) * height, 0.0),
                (0.4 * height, height),
                (hidden, hidden + 0.6),
            )
        )
    return found


def make() -> dict[str, Any]:
    """Return the content of the file."""
    import supervision
    from trackers import ByteTrackTracker, OCSORTTracker

    options = TrackerOptions()
    shared = {
        "lost_track_buffer": 60,
        "frame_rate": FPS,
        "minimum_consecutive_frames": options.min_hits,
        "high_conf_det_threshold": options.high,
    }
    packages = {
        "bytetrack": ByteTrackTracker(**shared, track_activation_threshold=options.new),
        "ocsort": OCSORTTracker(**shared),
    }
    rng = np.random.default_rng(8)
    people = walkers()
    frames = []
    for number in range(FRAMES):
        found = detect(people, number / FPS, rng)
        scores = np.clip(found.scores + rng.normal(0, 0.2, len(found)), options.low, 0.99)
        rows = np.round(np.concatenate([found.boxes, scores[:, None]], axis=1), 2)
        frame: dict[str, Any] = {"rows": rows.tolist()}
        for name, package in packages.items():
            given = supervision.Detections(
                rows[:, :4], confidence=rows[:, 4], data={"row": np.arange(len(rows))}
            )
            tracked = package.update(given)
            ids = np.full(len(rows), -1)
            ids[tracked.data["row"]] = tracked.tracker_id
            frame[name] = ids.tolist()
        frames.append(frame)
    return {"fps": FPS, "frames": frames}


if __name__ == "__main__":
    content = make()
    lines = ",\n".join(json.dumps(frame, separators=(",", ":")) for frame in content["frames"])
    FILE.write_text(f'{{"fps": {FPS}, "frames": [\n{lines}\n]}}\n', encoding="utf-8")
