"""A small classifier that is right: which colour a picture has most of. Its pictures, and a bundle of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import edgeagent
from edgeagent.imaging.frame import Image

COLOURS = ("blue", "green", "red")
SIZE = 32
DESCRIPTION = f"""\
name: colours
version: 1.0.0
task: classification
labels: [blue, green, red]
input:
  width: {SIZE}
  height: {SIZE}
  layout: nhwc
  colour: bgr
  mean: [0, 0, 0]
  std: [255, 255, 255]
  letterbox: null
decoder: {{family: classifier}}
licence: Apache-2.0
attribution: made by the tests
"""


def colour_classifier(path: Path, ending: str = "gemm") -> Path:
    """Write the float model: how far each channel is above the mean of the others, on average.

    Args:
        path: of the ONNX file; its description is written beside it.
        ending: last layer: ``gemm``, ``matmul`` with an added bias, or ``conv`` before the pooling.
    """
    random = np.random.default_rng(1)
    first = random.normal(0, 0.02, (8, 3, 3, 3))
    first[:3, :, 1, 1] += 1.5 * np.eye(3) - 0.5
    last = np.concatenate([6 * np.eye(3), random.normal(0, 0.02, (3, 5))], axis=1)
    constants = {"w1": first, "b1": np.full(8, 0.2), "w2": last, "b2": np.array([0.05, -0.05, 0.0])}
    nodes = [
        helper.make_node("Conv", ["images", "w1", "b1"], ["a"], "first", kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
    ]
    if ending == "conv":
        constants["w2"] = last[:, :, None, None]
        nodes += [
            helper.make_node("GlobalAveragePool", ["b"], ["c"], "pool"),
            helper.make_node("Conv", ["c", "w2", "b2"], ["d"], "last", kernel_shape=[1, 1]),
            helper.make_node("Flatten", ["d"], ["e"], "flat", axis=1),
        ]
    else:
        nodes += [
            helper.make_node("GlobalAveragePool", ["b"], ["c"], "pool"),
            helper.make_node("Flatten", ["c"], ["d"], "flat", axis=1),
        ]
        if ending == "gemm":
            nodes.append(helper.make_node("Gemm", ["d", "w2", "b2"], ["e"], "last", transB=1))
        else:
            constants["w2"] = last.T
            nodes.append(helper.make_node("MatMul", ["d", "w2"], ["m"], "last"))
            nodes.append(helper.make_node("Add", ["m", "b2"], ["e"], "bias"))
    nodes.append(helper.make_node("Softmax", ["e"], ["shares"], "softmax", axis=1))
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, SIZE, SIZE))],
        [helper.make_tensor_value_info("shares", TensorProto.FLOAT, (1, 3))],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    path.with_suffix(".yaml").write_text(DESCRIPTION, encoding="utf-8")
    return path


def colour_picture(index: int, seed: int, size: tuple[int, int] = (48, 64)) -> Image:
    """Return a picture (height, width, 3) uint8 with more of one colour than of the others."""
    random = np.random.default_rng(seed)
    level = random.integers(30, 150)
    picture = random.normal(level, 40, (*size, 3))
    picture[..., index] += random.integers(8, 70)
    return np.clip(picture, 0, 255).astype(np.uint8)


def colour_pictures(folder: Path, count: int, seed: int = 0) -> Path:
    """Write ``count`` pictures of each colour into a folder of its name."""
    for index, colour in enumerate(COLOURS):
        (folder / colour).mkdir(parents=True)
        for number in range(count):
            picture = colour_picture(index, 1000 * seed + 3 * number + index)
            cv2.imwrite(str(folder / colour / f"{colour}-{seed}-{number}.png"), picture)
    return folder


def colour_bundle(folder: Path, formats: tuple[str, ...] = ("onnx",)) -> Path:
    """Write float model, pictures and the bundle of their calibration into a folder; return the bundle."""
    model = colour_classifier(folder / "colours.onnx")
    edgeagent.quantize(
        model,
        colour_pictures(folder / "train", 8),
        folder / "bundle",
        val_dataset=colour_pictures(folder / "data" / "val", 30, 1).parent,
        golden=colour_pictures(folder / "golden", 2, 2),
        formats=formats,
        quick=True,
        compiled=False,
    )
    return folder / "bundle"
