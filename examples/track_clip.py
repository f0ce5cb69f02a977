"""Tracks of a clip: who came, what they are, and for how long they stayed.

    python examples/track_clip.py yard.mp4

Tracks follow objects by the time of the frames. The detector's threshold is that of the tracker's weakest
detections.
"""

from __future__ import annotations

import argparse

import cv2

import edgeagent


def main() -> None:
    """Read the command line and follow the objects of the clip."""
    parser = argparse.ArgumentParser(description="print the tracks of a clip")
    parser.add_argument("clip", help="video file")
    parser.add_argument(
        "--bundle", help="name or directory of a model bundle (default: the one of edgeagent)"
    )
    parser.add_argument("--engine", default="auto", help="engines to choose from, as for open_detector")
    parser.add_argument("--tracker", choices=["bytetrack", "ocsort"], default="bytetrack")
    parser.add_argument("--frames", type=int, default=1_000_000, help="stop after this many")
    arguments = parser.parse_args()
    capture = cv2.VideoCapture(arguments.clip)
    fps = capture.get(cv2.CAP_PROP_FPS)
    options = edgeagent.TrackerOptions(keep_s=2.0)
    tracker = edgeagent.create_tracker(arguments.tracker, options)
    stayed: dict[int, tuple[str, float]] = {}
    with edgeagent.open_detector(
        arguments.bundle, engine=arguments.engine, score_threshold=options.low
    ) as detector:
        for number in range(arguments.frames):
            ok, frame = capture.read()
            if not ok:
                break
            tracks = tracker.update(detector(frame), number / fps)
            for track, name, age in zip(
                tracks.ids.tolist(), tracks.names(), tracks.ages.tolist(), strict=True
            ):
                stayed[track] = (name, age)
    capture.release()
    for track, (name, age) in stayed.items():
        print(f"{name} {track}: {age:.1f} s")


if __name__ == "__main__":
    main()
