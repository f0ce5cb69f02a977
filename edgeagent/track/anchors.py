"""Anchor of a box: the point that counts for zones and lines."""

from __future__ import annotations

import numpy as np

from edgeagent.settings.sections.zones import Anchor
from edgeagent.track.tracked_frame import TrackedFrame
from edgeagent.vision.detections import FloatArray


def anchor_points(frame: TrackedFrame, anchor: Anchor) -> FloatArray:
    """Return the anchors of the tracks of a frame; see :func:`box_anchors`."""
    return box_anchors(frame.tracks.boxes, anchor, frame.width, frame.height)


def box_anchors(boxes: FloatArray, anchor: Anchor, width: int, height: int) -> FloatArray:
    """Return the anchors of boxes in shares of the picture.

    Args:
        boxes: (N, 4) float32, ``x1, y1, x2, y2`` in pixels.
        anchor: which point.
        width, height: of the picture in pixels.

    Returns:
        (N, 2) float32, x and y within 0..1: a box that leaves the picture stands on its border.
    """
    x = (boxes[:, 0] + boxes[:, 2]) / (2 * width)
    if anchor == "center":
        y = (boxes[:, 1] + boxes[:, 3]) / (2 * height)
    else:
        y = boxes[:, 3 if anchor == "bottom" else 1] / height
    inside = np.clip(np.stack([x, y], 1), 0.0, np.nextafter(np.float32(1), np.float32(0)))
    return inside.astype(np.float32)
