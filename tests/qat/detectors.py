"""Small detectors with the structure of well-known families, as their exports write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.qat.models import SIZE, GraphBuilder

CLASSES, BINS = 3, 4


class DetectorBuilder(GraphBuilder):
    """Blocks of detectors; each method takes and returns names of tensors."""

    def block(
        self, x: str, channels: tuple[int, int], kernel: int = 3, stride: int = 1, group: int = 1
    ) -> str:
        return self.silu(self.conv(x, channels, kernel, stride, group))

    def halves(self, x: str, size: int) -> list[str]:
        first = self.node("Split", x, self.constant([size, size]), outputs=2, axis=1)
        return [first, first[:-1] + "1"]

    def c2f(self, x: str, channels: int) -> str:
        half = channels // 2
        parts = self.halves(self.block(x, (channels, channels), 1), half)
        inner = self.block(self.block(parts[1], (half, half)), (half, half))
        parts.append(self.node("Add", parts[1], inner))
        return self.block(self.node("Concat", *parts, axis=1), (3 * half, channels), 1)

    def sppf(self, x: str, channels: int) -> str:
        parts = [self.block(x, (channels, channels), 1)]
        for _ in range(3):
            window: dict[str, Any] = {"kernel_shape": [5, 5], "strides": [1, 1], "pads": [2, 2, 2, 2]}
            parts.append(self.node("MaxPool", parts[-1], **window))
        return self.block(self.node("Concat", *parts, axis=1), (4 * channels, channels), 1)

    def attention(self, x: str, channels: int, places: int) -> str:
        """Self-attention with two heads and a positional convolution, and a feed-forward part."""
        side, width = int(places**0.5), channels // 2
        projected = self.conv(x, (channels, 2 * channels))
        heads = self.node("Reshape", projected, self.constant([1, 2, channels, places]))
        sizes = self.constant([width // 2, width // 2, width])
        query = self.node("Split", heads, sizes, outputs=3, axis=2)
        key, value = query[:-1] + "1", query[:-1] + "2"
        scores = self.node("MatMul", self.node("Transpose", query, perm=[0, 1, 3, 2]), key)
        scores = self.node("Softmax", self.node("Mul", scores, self.constant(0.5, np.float32)), axis=-1)
        mixed = self.node("MatMul", value, self.node("Transpose", scores, perm=[0, 1, 3, 2]))
        shape = self.constant([1, channels, side, side])
        mixed = self.node("Reshape", mixed, shape)
        position = self.conv(self.node("Reshape", value, shape), (channels, channels), 3, group=channels)
        x = self.node("Add", x, self.conv(self.node("Add", mixed, position), (channels, channels)))
        return self.node(
            "Add", x, self.conv(self.block(x, (channels, 2 * channels), 1), (2 * channels, channels))
        )

    def normalized(self, x: str, channels: int) -> str:
        drawn = (self.random.uniform(0.5, 1.5, channels) for _ in range(4))
        return self.node("BatchNormalization", x, *(self.constant(v, np.float32) for v in drawn))

    def qarepvgg(self, x: str, channels: int) -> str:
        """Three branches, of which only one has batch normalization, and one behind their sum."""
        large = self.normalized(self.conv(x, (channels, channels), 3), channels)
        small = self.node("Mul", self.conv(x, (channels, channels)), self.constant(0.8, np.float32))
        total = self.node("Add", self.node("Add", large, small), x)
        return self.node("Relu", self.normalized(total, channels))

    def repvgg(self, x: str, channels: int) -> str:
        """Three branches, each with batch normalization."""
        large = self.normalized(self.conv(x, (channels, channels), 3), channels)
        small = self.normalized(self.conv(x, (channels, channels)), channels)
        total = self.node("Add", self.node("Add", large, small), self.normalized(x, channels))
        return self.node("Relu", total)

    def upsample(self, x: str) -> str:
        scales = self.constant([1.0, 1.0, 2.0, 2.0], np.float32)
        attributes: dict[str, Any] = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.node("Resize", x, "", scales, mode="nearest", **attributes)

    def transposed(self, x: str, channels: int) -> str:
        weight = self.constant(self.random.normal(0, 0.3, (channels, channels, 2, 2)), np.float32)
        return self.node("ConvTranspose", x, weight, kernel_shape=[2, 2], strides=[2, 2])

    def distances(self, x: str, places: int) -> str:
        """The expectation of a distribution over bins (distribution focal loss), as a convolution."""
        bins = self.node(
            "Transpose", self.node("Reshape", x, self.constant([1, 4, BINS, places])), perm=[0, 2, 1, 3]
        )
        weight = self.constant(np.arange(BINS).reshape(1, BINS, 1, 1), np.float32)
        mean = self.node("Conv", self.node("Softmax", bins, axis=1), weight, kernel_shape=[1, 1])
        return self.node("Reshape", mean, self.constant([1, 4, places]))

    def decoded(self, heads: list[tuple[str, str]]) -> str:
        """Boxes and scores of all scales in one tensor, from (box, classes) of each."""
        rows = [
            self.node(
                "Reshape", self.node("Concat", *pair, axis=1), self.constant([1, 4 * BINS + CLASSES, -1])
            )
            for pair in heads
        ]
        sizes = self.constant([4 * BINS, CLASSES])
        box = self.node("Split", self.node("Concat", *rows, axis=2), sizes, outputs=2, axis=1)
        distances = self.distances(box, PLACES)
        near = self.node("Slice", distances, *(self.constant([n]) for n in (0, 2, 1)))
        far = self.node("Slice", distances, *(self.constant([n]) for n in (2, 4, 1)))
        anchors = self.constant(self.random.uniform(0, 8, (1, 2, PLACES)), np.float32)
        corners = self.node("Sub", anchors, near), self.node("Add", anchors, far)
        scores = self.node("Sigmoid", box[:-1] + "1")
        return self.node("Concat", *corners, scores, axis=1)

    def decoupled(self, x: str, channels: int) -> tuple[str, str]:
        box = self.conv(self.block(x, (channels, channels)), (channels, 4 * BINS))
        return box, self.conv(self.block(x, (channels, channels)), (channels, CLASSES))


PLACES = (SIZE // 8) ** 2 + (SIZE // 16) ** 2
OUTPUT = (1, 4 + CLASSES, PLACES)


def yolov8_like(path: Path, attention: bool = False) -> Path:
    """C2f blocks, SPPF, upsampling, decoupled heads with distribution focal loss and the whole decoding."""
    g = DetectorBuilder()
    x = g.block(g.block("images", (3, 8), 3, 2), (8, 8), 3, 2)
    fine = g.c2f(g.block(x, (8, 16), 3, 2), 16)
    coarse = g.sppf(g.block(fine, (16, 16), 3, 2), 16)
    if attention:
        coarse = g.attention(coarse, 16, (SIZE // 16) ** 2)
    joined = g.node("Concat", g.upsample(coarse), fine, axis=1)
    fine = g.c2f(g.block(joined, (32, 16), 1), 16)
    return g.save(path, {g.decoded([g.decoupled(fine, 16), g.decoupled(coarse, 16)]): OUTPUT})


def yolo11_like(path: Path) -> Path:
    """As :func:`yolov8_like`, with attention in the backbone."""
    return yolov8_like(path, attention=True)


def yolo_nas_like(path: Path) -> Path:
    """QARepVGG blocks, transposed convolutions, scores and distances in outputs of their own."""
    g = DetectorBuilder(3)
    x = g.node("Relu", g.conv("images", (3, 8), 3, 4))
    fine = g.qarepvgg(g.node("Relu", g.conv(x, (8, 16), 3, 2)), 16)
    coarse = g.qarepvgg(g.node("Relu", g.conv(fine, (16, 16), 3, 2)), 16)
    joined = g.node("Concat", g.transposed(coarse, 16), fine, axis=1)
    fine = g.qarepvgg(g.node("Relu", g.conv(joined, (32, 16))), 16)
    outputs: dict[str, tuple[int, ...]] = {}
    for feature, side in ((fine, SIZE // 8), (coarse, SIZE // 16)):
        box, classes = g.decoupled(feature, 16)
        flat = g.node("Reshape", classes, g.constant([1, CLASSES, -1]))
        outputs[g.distances(box, side**2)] = (1, 4, side**2)
        outputs[g.node("Sigmoid", g.node("Transpose", flat, perm=[0, 2, 1]))] = (1, side**2, CLASSES)
    return g.save(path, outputs)


def yolov6_like(path: Path) -> Path:
    """RepVGG blocks that are not joined yet, and one head convolution that both scales share."""
    g = DetectorBuilder(4)
    x = g.node("Relu", g.conv("images", (3, 8), 3, 4))
    fine = g.repvgg(g.node("Relu", g.conv(x, (8, 16), 3, 2)), 16)
    coarse = g.repvgg(g.node("Relu", g.conv(fine, (16, 16), 3, 2)), 16)
    weights = [g.constant(g.random.normal(0, 0.3, (n, 16, 1, 1)), np.float32) for n in (4, CLASSES)]
    outputs: dict[str, tuple[int, ...]] = {}
    for feature, side in ((fine, SIZE // 8), (coarse, SIZE // 16)):
        box, classes = (g.node("Conv", feature, weight, kernel_shape=[1, 1]) for weight in weights)
        outputs[g.node("Mul", box, g.constant(float(SIZE // side), np.float32))] = (1, 4, side, side)
        outputs[g.node("Sigmoid", classes)] = (1, CLASSES, side, side)
    return g.save(path, outputs)


ANCHORS = {8: ((3.0, 4.0), (6.0, 5.0), (5.0, 8.0)), 16: ((8.0, 9.0), (12.0, 7.0), (13.0, 12.0))}
"""Width and height in input pixels, by stride."""
ANCHOR_ROWS = sum(3 * (SIZE // stride) ** 2 for stride in ANCHORS)


class AnchorBuilder(DetectorBuilder):
    """Heads of YOLOv5 and YOLOv7, in the forms of their exports."""

    def anchor_head(self, x: str, channels: int, classes: int, stride: int, form: str) -> str:
        """Return the rows (1, 3 * cells, 5 + classes) of a scale: centre and size in pixels, scores.

        Args:
            x: features (1, channels, SIZE / stride, SIZE / stride).
            channels: of the features.
            classes: number of classes.
            stride: input pixels per cell.
            form: ``slices`` as the first releases of YOLOv5 write it, ``split`` as later ones and YOLOv7, or
                ``raw`` for the raw predictions (1, 3, side, side, 5 + classes).
        """
        side, numbers = SIZE // stride, 5 + classes
        gain = np.where(np.arange(3 * numbers) % numbers < 4, 0.02, 0.3)  # boxes stay near their cell
        weight = gain[:, None, None, None] * self.random.normal(0, 1, (3 * numbers, channels, 1, 1))
        constants = (self.constant(value, np.float32) for value in (weight, gain * 3))
        head = self.node("Conv", x, *constants, kernel_shape=[1, 1])
        raw = self.node("Reshape", head, self.constant([1, 3, numbers, side, side]))
        raw = self.node("Transpose", raw, perm=[0, 1, 3, 4, 2])
        if form == "raw":
            return raw
        values = self.node("Sigmoid", raw)
        if form == "split":
            parts = self.constant([2, 2, 1 + classes])
            centre = self.node("Split", values, parts, outputs=3, axis=4)
            size, scores = centre[:-1] + "1", centre[:-1] + "2"
        else:
            ends = zip((0, 2, 4), (2, 4, numbers), strict=True)
            centre, size, scores = (
                self.node("Slice", values, *(self.constant([n]) for n in (first, last, 4)))
                for first, last in ends
            )
        row, column = np.indices((side, side))
        grid = self.constant(np.stack([column, row], 2)[None, None] - 0.5, np.float32)
        anchors = self.constant(np.array(ANCHORS[stride]).reshape(1, 3, 1, 1, 2), np.float32)
        two, step = self.constant(2.0, np.float32), self.constant(float(stride), np.float32)
        centre = self.node("Mul", self.node("Add", self.node("Mul", centre, two), grid), step)
        size = self.node("Mul", self.node("Pow", self.node("Mul", size, two), two), anchors)
        rows = self.node("Concat", centre, size, scores, axis=4)
        return self.node("Reshape", rows, self.constant([1, 3 * side * side, numbers]))


def yolov5_like(path: Path, form: str = "split", classes: int = CLASSES) -> Path:
    """Heads with three anchors per cell on a small backbone; ``form`` as in :class:`AnchorBuilder`."""
    g = AnchorBuilder(6)
    x = g.block(g.block("images", (3, 8), 3, 2), (8, 16), 3, 4)
    scales = [
        g.anchor_head(feature, 16, classes, stride, form)
        for stride, feature in zip(ANCHORS, (x, g.block(x, (16, 16), 3, 2)), strict=True)
    ]
    if form == "raw":
        sides = {name: SIZE // stride for name, stride in zip(scales, ANCHORS, strict=True)}
        return g.save(path, {name: (1, 3, side, side, 5 + classes) for name, side in sides.items()})
    return g.save(path, {g.node("Concat", *scales, axis=1): (1, ANCHOR_ROWS, 5 + classes)})
