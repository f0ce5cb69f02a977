"""Anchors of a YOLOv5 or YOLOv7 graph, from its raw heads and the sizes that it decodes itself.

YOLOv5 chooses new anchors for each data set, so those of a trained model are often not those of COCO. With t
the raw numbers of a size and sigma the sigmoid, a size is (2 sigma(t))^2 * anchor
(:mod:`edgeagent.vision.decoder_yolov5`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeagent.accuracy.own_boxes import OwnOutput
from edgeagent.bundle.cells import cells_along
from edgeagent.detection.detector import Detector
from edgeagent.engines.engine import Array
from edgeagent.vision.heads import FloatArray, sigmoid

CERTAIN = 1e-3
"""Largest relative spread of an anchor over the cells: above it the rows are not those of the heads."""


def anchor_advice(detector: Detector, own: OwnOutput, outputs: Sequence[Array]) -> str:
    """Return the anchors of a graph as advice for its description; empty where they are not known.

    Args:
        detector: float heads of the graph, channels first, decoded by the description.
        own: output of the graph itself for a picture: rows by stride, anchor, row, column.
        outputs: heads for the same picture.
    """
    anchors = detector.description.decoder.anchors_by_stride()
    if not anchors or own.final:
        return ""
    first, found = 0, []
    boxes = [place for place, spec in enumerate(detector.engine.outputs) if spec.shape[1] % 4 == 0]
    for stride, listed in anchors.items():
        side = cells_along(detector.description.input.height, stride)
        raw = next(
            (
                outputs[place][0]
                for place in boxes
                if detector.engine.outputs[place].shape[1:3] == (4 * len(listed), side)
            ),
            None,
        )
        if raw is None:
            return ""
        rows = raw.reshape(len(listed), 4, -1)
        cells = rows.shape[2]
        sizes = own.values[first : first + len(listed) * cells, 2:].reshape(len(listed), cells, 2)
        first += len(listed) * cells
        here = _ratios(rows[:, 2:].transpose(0, 2, 1), sizes)
        if here is None:
            return ""
        found.append([[round(float(number), 2) for number in anchor] for anchor in here])
    return f"; the anchors of the model are {found}"


def _ratios(raw: FloatArray, sizes: FloatArray) -> FloatArray | None:
    """Return the anchors (anchors, 2) of raw sizes (anchors, cells, 2); None if they differ by cell."""
    ratios = sizes / np.square(2 * sigmoid(raw))
    middle: FloatArray = np.median(ratios, axis=1)
    spread = np.abs(ratios - middle[:, None]).max(axis=1)
    return middle if np.isfinite(ratios).all() and (spread <= CERTAIN * middle).all() else None
