"""A small model for instances that is right: discs of three colours. Its pictures and its bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeagent.imaging.frame import Image
from tests.classifier import COLOURS
from tests.polygon_pictures import calibrated_bundle, write_pictures

SIZE, STRIDE, RADIUS = 128, 32, 12.0
SIDE, CELLS, PROTOTYPES = SIZE // STRIDE, SIZE // 4, 4
CORNERS = 24
DESCRIPTION = f"""\
name: discs
version: 1.0.0
task: instances
labels: [{", ".join(COLOURS)}]
input:
  width: {SIZE}
  height: {SIZE}
  layout: nhwc
  colour: bgr
  mean: [0, 0, 0]
  std: [255, 255, 255]
decoder: {{family: yolov8, strides: [{STRIDE}], reg_max: 1, boxes: decoded}}
licence: Apache-2.0
attribution: made by the tests
"""


def disc_model(path: Path, prototypes: int = PROTOTYPES, cells: int = CELLS) -> Path:
    """Write the float model, as YOLO-seg is exported: boxes, scores, coefficients; prototypes.

    A cell is an object of a colour where that is above the others; prototypes show where it is.

    Args:
        path: of the ONNX file; its description is written beside it.
        prototypes: channels of the prototypes; other than 4, these are no longer those of the coefficients.
        cells: rows and columns of the prototypes, at most 32.
    """
    random = np.random.default_rng(3)
    first = random.normal(0, 0.005, (8, 3, 3, 3))
    first[:3] += (1.5 * np.eye(3) - 0.5)[:, :, None, None] / 9
    cell = random.normal(0, 0.0005, (8, 8, 16, 16))
    cell[:3, :3] += 4 * np.eye(3)[:, :, None, None] / 256
    shown = random.normal(0, 0.02, (prototypes, 8, 2, 2))
    shown[:3, :3] += 12 * np.eye(3)[:, :, None, None] / 4
    heads = {"box": (4, RADIUS / STRIDE), "classes": (3, -6.0), "mask": (PROTOTYPES, 0.0)}
    constants: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {
        "w_first": first,
        "b_first": np.zeros(8),
        "w_cell": cell,
        "b_cell": np.zeros(8),
        "w_prototypes": shown,
        "b_prototypes": np.full(prototypes, -1.4),
    }
    for role, (channels, bias) in heads.items():
        weight = random.normal(0, 0.002, (channels, 8, 1, 1))
        if role != "box":
            weight[:3, :3, 0, 0] += 30 * np.eye(3)
        constants |= {f"w_{role}": weight, f"b_{role}": np.full(channels, bias)}
    row, column = np.indices((SIDE, SIDE), np.float64)
    constants |= {
        "centres": np.stack([column.ravel(), row.ravel()])[None] + 0.5,
        "half": np.array(STRIDE / 2),
        "stride": np.array(STRIDE),
    }
    whole = {"flat": [1, -1, SIDE**2], "zero": [0], "two": [2], "four": [4], "one": [1], "end": [cells]}
    nodes = [
        _conv("first", "images", "a", 3, 2, 1),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        _conv("cell", "b", "c", 16, 16),
        helper.make_node("Relu", ["c"], ["d"], "cells"),
        *(_conv(role, "d", role, 1) for role in heads),
        _conv("prototypes", "b", "shown", 2, 2),
        *(helper.make_node("Reshape", [role, "flat"], [f"{role}_rows"], f"{role}_rows") for role in heads),
        helper.make_node("Slice", ["box_rows", "zero", "two", "one"], ["near"], "near"),
        helper.make_node("Slice", ["box_rows", "two", "four", "one"], ["far"], "far"),
        helper.make_node("Sub", ["centres", "near"], ["begin"], "begin"),
        helper.make_node("Add", ["centres", "far"], ["end_"], "end_"),
        helper.make_node("Add", ["begin", "end_"], ["sum"], "sum"),
        helper.make_node("Mul", ["sum", "half"], ["centre"], "centre"),
        helper.make_node("Sub", ["end_", "begin"], ["sides"], "sides"),
        helper.make_node("Mul", ["sides", "stride"], ["size"], "size"),
        helper.make_node("Sigmoid", ["classes_rows"], ["scores"], "scores"),
        helper.make_node("Concat", ["centre", "size", "scores", "mask_rows"], ["output0"], "join", axis=1),
    ]
    if cells == CELLS:
        nodes.append(helper.make_node("Identity", ["shown"], ["output1"], "output1"))
    else:
        whole["rows"] = [2]
        nodes.append(helper.make_node("Slice", ["shown", "zero", "end", "rows"], ["output1"], "output1"))
    graph = helper.make_graph(
        nodes,
        "discs",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, SIZE, SIZE))],
        [
            helper.make_tensor_value_info("output0", TensorProto.FLOAT, (1, 7 + PROTOTYPES, SIDE**2)),
            helper.make_tensor_value_info("output1", TensorProto.FLOAT, (1, prototypes, cells, CELLS)),
        ],
        [
            *(numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()),
            *(numpy_helper.from_array(np.array(value, np.int64), name) for name, value in whole.items()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    path.with_suffix(".yaml").write_text(DESCRIPTION, encoding="utf-8")
    return path


def _conv(name: str, given: str, result: str, side: int, stride: int = 1, pad: int = 0) -> onnx.NodeProto:
    inputs = [given, f"w_{name}", f"b_{name}"]
    window: dict[str, Any] = {"kernel_shape": [side] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
    return helper.make_node("Conv", inputs, [result], name, **window)


def disc_picture(seed: int, scale: int = 1) -> tuple[Image, list[tuple[int, list[float]]]]:
    """Return a grey square picture with two to four discs, and class and outline x y x y ... of each."""
    random = np.random.default_rng(seed)
    side, angles = SIZE * scale, np.arange(CORNERS) * 2 * np.pi / CORNERS
    picture = random.normal(random.integers(60, 140), 8, (side, side, 3))
    row, column = np.indices((side, side)) + 0.5
    found = []
    for place in random.choice(SIDE**2, random.integers(2, 5), replace=False).tolist():
        index = int(random.integers(3))
        x, y = ((place % SIDE + 0.5) * STRIDE * scale, (place // SIDE + 0.5) * STRIDE * scale)
        radius = RADIUS * scale
        picture[(column - x) ** 2 + (row - y) ** 2 <= radius**2, index] += 100
        outline = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], 1) / side
        found.append((index, outline.ravel().tolist()))
    return np.clip(picture, 0, 255).astype(np.uint8), found


def disc_pictures(folder: Path, count: int, seed: int = 0) -> Path:
    """Write pictures with their polygons, as a YOLO data set without splits."""
    return write_pictures(folder, seed, (disc_picture(1000 * seed + number) for number in range(count)))


def disc_bundle(folder: Path, formats: tuple[str, ...] = ("onnx",)) -> Path:
    """Write float model, pictures and the bundle of their calibration into a folder; return the bundle."""
    model = disc_model(folder / "discs.onnx")
    return calibrated_bundle(folder, model, disc_pictures, (12, 12, 3), formats)
