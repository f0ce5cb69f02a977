"""Robot loop: steer towards the largest person in the picture.

    python examples/robot_loop.py --clip yard.mp4
    python examples/robot_loop.py --camera 0

The detector runs in a process of its own on the fastest delegate of the board. Two frames are in flight:
while the engine works on one, the loop reads and prepares the next.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import cv2

import edgeagent


def read_frames(capture: cv2.VideoCapture, most: int) -> Iterator[edgeagent.Image]:
    """Read frames, (height, width, 3) uint8, BGR, until the end or ``most`` of them."""
    for _ in range(most):
        ok, frame = capture.read()
        if not ok:
            return
        yield frame


def steering(detections: edgeagent.Detections, width: int) -> float | None:
    """Return where the largest person is: -1 is the left edge, 1 the right one; None without a person."""
    people = [found for found in detections if found.label == "person"]
    if not people:
        return None
    x1, _, x2, _ = max(people, key=lambda found: found.box[3] - found.box[1]).box
    return (x1 + x2) / width - 1


def main() -> None:
    """Read the command line and run the loop."""
    parser = argparse.ArgumentParser(description="steer towards the largest person")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--clip", help="video file")
    source.add_argument("--camera", type=int, help="number of a camera")
    parser.add_argument("--bundle", help="directory of a model bundle (default: the one of edgeagent)")
    parser.add_argument("--frames", type=int, default=1_000_000, help="stop after this many")
    arguments = parser.parse_args()
    capture = cv2.VideoCapture(arguments.camera if arguments.clip is None else arguments.clip)
    with edgeagent.open_detector(arguments.bundle) as detector:
        print(f"detecting with {detector.facts.engine} on {detector.facts.delegate}")
        for frame, detections in detector.stream(read_frames(capture, arguments.frames), in_flight=2):
            turn = steering(detections, frame.shape[1])
            print("searching" if turn is None else f"turn {turn:+.2f}")
    capture.release()


if __name__ == "__main__":
    main()
