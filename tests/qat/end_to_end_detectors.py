"""Small end-to-end detectors: one-to-one heads and the choice of the best, as YOLOv10 and YOLO26."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.qat.detectors import BINS, CLASSES, PLACES, DetectorBuilder
from tests.qat.models import SIZE

BEST = 60
"""Final detections of a picture."""


class EndToEndBuilder(DetectorBuilder):
    """Decoding and choice behind the heads."""

    def corners(self, box: str, bins: int) -> str:
        """Return boxes (1, cells, 4) in input pixels of distances (1, 4 * bins, cells)."""
        distances = self.distances(box, PLACES) if bins > 1 else box
        near = self.node("Slice", distances, *(self.constant([n]) for n in (0, 2, 1)))
        far = self.node("Slice", distances, *(self.constant([n]) for n in (2, 4, 1)))
        centres, strides = [], []
        for stride in (8, 16):
            row, column = np.indices((SIZE // stride, SIZE // stride))
            centres.append(np.stack([column.ravel(), row.ravel()]) + 0.5)
            strides.append(np.full((1, row.size), stride))
        centre = self.constant(np.concatenate(centres, 1)[None], np.float32)
        step = self.constant(np.concatenate(strides, 1)[None], np.float32)
        both = self.node("Concat", self.node("Sub", centre, near), self.node("Add", centre, far), axis=1)
        return self.node("Transpose", self.node("Mul", both, step), perm=[0, 2, 1])

    def best(self, boxes: str, scores: str) -> str:
        """Return the best (1, BEST, 6) of boxes (1, cells, 4) and scores (1, cells, classes)."""
        count, axis = self.constant([BEST]), self.constant([-1])
        highest = self.node("ReduceMax", scores, axes=[-1], keepdims=0)
        index = self.node("TopK", highest, count, outputs=2, axis=1)[:-1] + "1"
        index = self.node("Unsqueeze", index, axis)
        boxes = self.node("GatherElements", boxes, self.tiled(index, 4), axis=1)
        scores = self.node("GatherElements", scores, self.tiled(index, CLASSES), axis=1)
        chosen = self.node("TopK", self.node("Flatten", scores), count, outputs=2, axis=1)
        index, classes = chosen[:-1] + "1", self.constant(CLASSES)
        place = self.node("Unsqueeze", self.node("Div", index, classes), axis)
        boxes = self.node("GatherElements", boxes, self.tiled(place, 4), axis=1)
        label = self.node("Cast", self.node("Unsqueeze", self.node("Mod", index, classes), axis), to=1)
        return self.node("Concat", boxes, self.node("Unsqueeze", chosen, axis), label, axis=2)

    def tiled(self, index: str, count: int) -> str:
        return self.node("Tile", index, self.constant([1, 1, count]))


def end_to_end(path: Path, bins: int = BINS) -> Path:
    """YOLOv10 with distribution focal loss, or YOLO26 without (one bin)."""
    g = EndToEndBuilder(7)
    x = g.block(g.block("images", (3, 8), 3, 2), (8, 16), 3, 4)
    rows = []
    for feature in (x, g.block(x, (16, 16), 3, 2)):
        weight = g.constant(g.random.normal(0, 0.02, (4 * bins, 16, 1, 1)), np.float32)
        bias = g.constant(g.random.uniform(0.8, 1.5, 4 * bins), np.float32)
        box = g.node("Conv", feature, weight, bias, kernel_shape=[1, 1])
        both = g.node("Concat", box, g.conv(feature, (16, CLASSES)), axis=1)
        rows.append(g.node("Reshape", both, g.constant([1, 4 * bins + CLASSES, -1])))
    sizes = g.constant([4 * bins, CLASSES])
    box = g.node("Split", g.node("Concat", *rows, axis=2), sizes, outputs=2, axis=1)
    scores = g.node("Transpose", g.node("Sigmoid", box[:-1] + "1"), perm=[0, 2, 1])
    return g.save(path, {g.best(g.corners(box, bins), scores): (1, BEST, 6)})
