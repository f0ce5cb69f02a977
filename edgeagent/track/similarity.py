"""Similarity of tracks and detections."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeagent.track import motion
from edgeagent.vision.detections import IntArray

Similarity = npt.NDArray[np.float32]

OTHER_CLASS = 0.5
"""Factor of the overlap with a detection of another class: a flip of the label needs a good overlap."""

GATE = 9.21
"""Square of the distance, in deviations, below which 99 % of detections are: chi-square with two degrees."""

REACH = 0.5
"""Greatest deviation of a prediction, in sizes (roots of the area): bounds the search for a missing track."""


def other_class(tracks: IntArray, detections: IntArray) -> npt.NDArray[np.bool_]:
    """Return (n, m) where the class of a track is known (not -1) and is not that of a detection."""
    other: npt.NDArray[np.bool_] = tracks[:, None] != detections
    unknown = tracks < 0
    if unknown.any():
        other[unknown] = False
    return other


def nearness(
    states: motion.States, values: motion.Boxes, tracks: IntArray, detections: IntArray
) -> Similarity:
    """Return how near detections are to where tracks may be by now, (n, m) in 0..1; 0 is out of reach.

    It is 1 less the square of the distance of the centres in deviations (Mahalanobis distance) by
    :data:`GATE`, times the overlap that the two boxes would have about one centre. It finds objects that
    moved by more than their width between two frames, where boxes do not overlap.

    Args:
        states: (5, n, 4) of tracks.
        values: (m, 4) centre, width and height of detections.
        tracks: (n,) classes.
        detections: (m,) classes; only equal classes are near.
    """
    position = states[motion.POSITION, :, None]
    reach = REACH**2 * motion.areas(states[motion.POSITION])
    variance = np.minimum(states[motion.POSITION_VARIANCE, :, :2], reach)[:, None]
    noise = (motion.MEASURED * values[:, 2:]) ** 2
    distance = ((values[:, :2] - position[..., :2]) ** 2 / (variance + noise)).sum(axis=2)
    lesser = np.minimum(values[:, 2:], position[..., 2:]).prod(axis=2)
    areas = values[:, 2:].prod(axis=1) + position[..., 2:].prod(axis=2)
    near = np.maximum(1 - distance / GATE, 0) * lesser / (areas - lesser)
    near[other_class(tracks, detections)] = 0
    result: Similarity = near.astype(np.float32)
    return result
