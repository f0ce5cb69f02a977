"""A small segmenter that is right: the colour of each pixel, or background. Its pictures and its bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeagent.imaging.frame import Image
from tests.classifier import COLOURS
from tests.polygon_pictures import calibrated_bundle, write_pictures

SIZE = 64
LABELS = ("background", *COLOURS)
DESCRIPTION = f"""\
name: colour-map
version: 1.0.0
task: segmentation
labels: [background, blue, green, red]
input:
  width: {SIZE}
  height: {SIZE}
  layout: nhwc
  colour: bgr
  mean: [0, 0, 0]
  std: [255, 255, 255]
decoder: {{family: segmenter}}
licence: Apache-2.0
attribution: made by the tests
"""


def colour_segmenter(path: Path) -> Path:
    """Write the float model: how far each channel is above the others, in cells of two pixels."""
    random = np.random.default_rng(2)
    first = random.normal(0, 0.01, (8, 3, 3, 3))
    first[:3] += (1.5 * np.eye(3) - 0.5)[:, :, None, None] / 9
    last = random.normal(0, 0.02, (4, 8, 1, 1))
    last[1:, :3, 0, 0] += 12 * np.eye(3)
    constants = {"w1": first, "b1": np.zeros(8), "w2": last, "b2": np.array([2.0, 0, 0, 0])}
    nodes = [
        helper.make_node(
            "Conv", ["images", "w1", "b1"], ["a"], "first", kernel_shape=[3, 3], pads=[1] * 4, strides=[2, 2]
        ),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("Conv", ["b", "w2", "b2"], ["c"], "last", kernel_shape=[1, 1]),
        helper.make_node("Softmax", ["c"], ["shares"], "softmax", axis=1),
    ]
    half = SIZE // 2
    graph = helper.make_graph(
        nodes,
        "colour-map",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, SIZE, SIZE))],
        [helper.make_tensor_value_info("shares", TensorProto.FLOAT, (1, 4, half, half))],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    path.with_suffix(".yaml").write_text(DESCRIPTION, encoding="utf-8")
    return path


def area_picture(index: int, seed: int, size: tuple[int, int] = (96, 128)) -> tuple[Image, list[float]]:
    """Return a grey picture with a rectangle of a colour, and the corners of that as shares x y x y ..."""
    random = np.random.default_rng(seed)
    height, width = size
    picture = random.normal(random.integers(60, 140), 12, (*size, 3))
    x1, y1 = random.uniform(0.05, 0.4), random.uniform(0.05, 0.4)
    x2, y2 = x1 + random.uniform(0.3, 0.5), y1 + random.uniform(0.3, 0.5)
    rows = slice(round(y1 * height), round(y2 * height))
    picture[rows, round(x1 * width) : round(x2 * width), index] += 100
    return np.clip(picture, 0, 255).astype(np.uint8), [x1, y1, x2, y1, x2, y2, x1, y2]


def area_pictures(folder: Path, count: int, seed: int = 0) -> Path:
    """Write ``count`` pictures of each colour with their polygons, as a YOLO data set without splits."""
    drawn = ((n % 3, area_picture(n % 3, 1000 * seed + n)) for n in range(3 * count))
    pictures = ((picture, [(colour + 1, corners)]) for colour, (picture, corners) in drawn)
    return write_pictures(folder, seed, pictures)


def area_bundle(folder: Path, formats: tuple[str, ...] = ("onnx",)) -> Path:
    """Write float model, pictures and the bundle of their calibration into a folder; return the bundle."""
    model = colour_segmenter(folder / "colour-map.onnx")
    return calibrated_bundle(folder, model, area_pictures, (4, 8, 1), formats)
