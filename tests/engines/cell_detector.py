"""A real detector with known answers: YOLOX heads that find white cells in black pictures.

The input is 64 x 32; strides are 8 and 16. A cell whose mean is white holds a person exactly as large as
the cell; everything else holds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from onnx import helper

from edgeagent.bundle.golden import ReferenceOutputs, save_reference_outputs
from edgeagent.bundle.reading import Bundle
from edgeagent.bundle.writing import write_bundle
from edgeagent.engines.onnxruntime_engine import OnnxRuntimeEngine
from edgeagent.imaging.frame import Image
from tests.bundle.tiny import ARTEFACT, OUTPUTS, PICTURE, fields
from tests.engines.onnx_graphs import FLOAT, UINT8, value, write_graph

WIDTH, HEIGHT, STRIDES = 64, 32, (8, 16)
LABELS = ("person", "Straßenbahn")
LABELS_FILE = "golden/0.txt"
CELLS = ((2, 1), (6, 3))
"""Columns and rows of the white cells of the golden picture."""
ROLES: dict[str, tuple[Sequence[float], Sequence[float]]] = {
    # for each role the weight of the picture's brightness and the bias of each channel
    "box": ((0, 0, 0, 0), (0.5, 0.5, 0, 0)),
    "objectness": ((0,), (10,)),
    "classes": ((0.25, 0), (-32, -32)),
}


def picture(cells: Sequence[tuple[int, int]] = CELLS) -> Image:
    """Return a black picture (32, 64, 3) with white cells of 8 x 8 pixels at (column, row)."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for column, row in cells:
        image[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 255
    return image


def boxes(cells: Sequence[tuple[int, int]] = CELLS) -> list[list[float]]:
    """Return x1, y1, x2, y2 of what is to be found on :func:`picture`."""
    return [[8.0 * column, 8.0 * row, 8.0 * column + 8, 8.0 * row + 8] for column, row in cells]


def label_lines(cells: Sequence[tuple[int, int]] = CELLS) -> str:
    """Return the same in YOLO format."""
    lines = [f"0 {(8 * c + 4) / WIDTH} {(8 * r + 4) / HEIGHT} {8 / WIDTH} {8 / HEIGHT}\n" for c, r in cells]
    return "".join(lines)


def png(image: Image) -> bytes:
    """Return a picture as the content of a PNG file."""
    done, content = cv2.imencode(".png", image)
    assert done
    return content.tobytes()


def write_onnx(path: Path, dtype: int = UINT8) -> Path:
    """Write the detector; with floating-point input it takes the layout NCHW, as float exports do."""
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, Any] = {}
    shape = (1, HEIGHT, WIDTH, 3)
    if dtype == FLOAT:
        shape = (1, 3, HEIGHT, WIDTH)
        nodes.append(helper.make_node("Identity", ["picture"], ["nchw"]))
    else:
        nodes.append(helper.make_node("Cast", ["picture"], ["float"], to=FLOAT))
        nodes.append(helper.make_node("Transpose", ["float"], ["nchw"], perm=[0, 3, 1, 2]))
    outputs = []
    for stride in STRIDES:
        window: dict[str, Any] = {"kernel_shape": [stride] * 2, "strides": [stride] * 2}
        nodes.append(helper.make_node("AveragePool", ["nchw"], [f"mean_{stride}"], **window))
        for role, (weight, bias) in ROLES.items():
            name = f"{role}_{stride}"
            kernel = np.repeat(np.array(weight, np.float32)[:, None], 3, axis=1) / 3
            constants[f"w_{name}"] = kernel[:, :, None, None]
            constants[f"b_{name}"] = np.array(bias, np.float32)
            nodes.append(helper.make_node("Conv", [f"mean_{stride}", f"w_{name}", f"b_{name}"], [name]))
            outputs.append(value(name, FLOAT, (1, len(weight), HEIGHT // stride, WIDTH // stride)))
    return write_graph(path, nodes, [value("picture", dtype, shape)], outputs, constants)


def run(path: Path, image: Image) -> tuple[Any, ...]:
    """Return the outputs for one picture, as the golden set holds them."""
    engine = OnnxRuntimeEngine(path, 1)
    outputs = tuple(spec.allocate() for spec in engine.outputs)
    engine.infer([image[None]], outputs)
    return outputs


def build_bundle(
    directory: Path,
    golden_error: float = 0.0,
    claim: float | None = None,
    truth: str | None = None,
    **changes: Any,
) -> Bundle:
    """Write a bundle of the detector.

    Args:
        directory: where.
        golden_error: by how much the reference outputs are wrong; one step of them is 0.1.
        claim: mAP50-95 on the golden picture, with a tolerance of .1; None labels nothing.
        truth: label file of the golden picture, instead of what is on it.
        changes: fields of the manifest.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    model, reference = directory.with_suffix(".onnx"), directory.with_suffix(".npz")
    outputs = tuple(array + np.float32(golden_error) for array in run(write_onnx(model), picture()))
    save_reference_outputs(reference, ReferenceOutputs((outputs,), (0.1,) * len(outputs)))
    files: dict[str, Path | bytes] = {ARTEFACT: model, PICTURE: png(picture()), OUTPUTS: reference}
    data = fields(**changes)
    if claim is not None:
        files[LABELS_FILE] = (label_lines() if truth is None else truth).encode()
        data["golden"]["accuracy"] = {
            "labels": {PICTURE: LABELS_FILE},
            "labelled_by": "people",
            "map50_95": {ARTEFACT: claim},
            "tolerance": 0.1,
        }
    bundle = write_bundle(directory, data, files)
    model.unlink()
    reference.unlink()
    return bundle
