"""Lane keeping: where the lane ahead lies and where it leads, one line of JSON for each frame.

    python examples/lane_keeping.py lanes/bundle --clip drive.mp4
    python examples/lane_keeping.py lanes/bundle --camera 0 --row 0.7 --draw drawn.mp4

``offset`` is the centre of the lane from the middle of the picture at the row of --row, in shares of the
width: negative is left, and a robot in the middle of a straight lane has 0. ``heading`` are the degrees in
the picture by which the lane leads to the right of straight up. Both are null where no lane is seen: slow
down then. The bundle is a segmenter with the class of --label, such as benchmarks/lanes.py makes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

import cv2
import numpy as np

import edgeagent

LINE = (0, 0, 255)
TINT = np.array((0, 100, 0), np.uint8)


def read_frames(capture: cv2.VideoCapture, most: int) -> Iterator[edgeagent.Image]:
    """Read frames, (height, width, 3) uint8, BGR, until the end or ``most`` of them."""
    for _ in range(most):
        ok, frame = capture.read()
        if not ok:
            return
        yield frame


def drawn(
    frame: edgeagent.Image, lane: np.ndarray, line: edgeagent.CentreLine | None, row: float
) -> edgeagent.Image:
    """Return a copy of the frame with its lane tinted, and a mark at the centre of the lane.

    Args:
        frame: (height, width, 3) uint8, BGR.
        lane: (height, width), whether a pixel is of the lane.
        line: its centre line at the row.
        row: distance from the upper edge, in shares of the height.
    """
    picture = frame.copy()
    picture[lane] = picture[lane] // 2 + TINT
    if line is not None:
        height, width = frame.shape[:2]
        centre = (round((0.5 + line.offset) * width), round(row * height))
        cv2.drawMarker(picture, centre, LINE, cv2.MARKER_CROSS, height // 10, 2)
    return picture


def main() -> None:
    """Read the command line and follow the lane."""
    parser = argparse.ArgumentParser(description="print where the lane ahead lies and leads to")
    parser.add_argument("bundle", help="directory of a bundle of a segmenter")
    parser.add_argument("--label", default="lane", help="class to follow")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--clip", help="video file")
    source.add_argument("--camera", type=int, help="number of a camera")
    parser.add_argument(
        "--row", type=float, default=0.7, help="row to look at: 0 is the upper edge, 1 the lower"
    )
    parser.add_argument("--engine", default="auto", help="engines to choose from, as for open_segmenter")
    parser.add_argument("--frames", type=int, default=1_000_000, help="stop after this many")
    parser.add_argument("--draw", metavar="FILE", help="clip (.mp4) to write with the lane in it")
    arguments = parser.parse_args()
    capture = cv2.VideoCapture(arguments.camera if arguments.clip is None else arguments.clip)
    if not capture.isOpened():
        parser.error(f"cannot be opened: {arguments.camera if arguments.clip is None else arguments.clip}")
    writer = None
    with edgeagent.open_segmenter(arguments.bundle, engine=arguments.engine) as segmenter:
        if arguments.label not in segmenter.labels:
            parser.error(f"--label: the model has {', '.join(segmenter.labels)}")
        for frame, found in segmenter.stream(read_frames(capture, arguments.frames), in_flight=2):
            line = found.centre_line(arguments.label, arguments.row)
            offset, heading = (
                (None, None) if line is None else (round(line.offset, 4), round(line.heading, 1))
            )
            print(json.dumps({"offset": offset, "heading": heading}), flush=True)
            if arguments.draw is not None:
                if writer is None:
                    size, rate = frame.shape[1::-1], capture.get(cv2.CAP_PROP_FPS) or 10
                    writer = cv2.VideoWriter(arguments.draw, cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
                lane = found.in_picture() == found.labels.index(arguments.label)
                writer.write(drawn(frame, lane, line, arguments.row))
    capture.release()
    if writer is not None:
        writer.release()


if __name__ == "__main__":
    main()
