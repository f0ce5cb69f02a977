"""Small detectors with masks, as YOLO-seg is exported: joined rows, prototypes behind their activation."""

from __future__ import annotations

from pathlib import Path

from edgeagent.bundle.manifest import ModelDescription
from tests.qat.detectors import BINS, CLASSES, PLACES, DetectorBuilder
from tests.qat.models import SIZE

COEFFICIENTS = 8
STRIDE = 4
"""Input pixels per cell of the prototypes."""


def yolo_seg_like(path: Path, coefficients: int = COEFFICIENTS, tanh: bool = False) -> Path:
    """Decoupled heads with coefficients, and prototypes that end in a SiLU.

    Args:
        path: of the ONNX file.
        coefficients: of each cell; prototypes are :data:`COEFFICIENTS`.
        tanh: whether the coefficients pass a hyperbolic tangent, as in YOLACT.
    """
    g = DetectorBuilder(8)
    x = g.block(g.block("images", (3, 8), 3, 2), (8, 8), 3, 2)
    fine = g.c2f(g.block(x, (8, 16), 3, 2), 16)
    coarse = g.sppf(g.block(fine, (16, 16), 3, 2), 16)
    rows = []
    for feature in (fine, coarse):
        own = g.conv(g.block(feature, (16, 16)), (16, coefficients))
        rows.append(
            g.node("Reshape", g.node("Tanh", own) if tanh else own, g.constant([1, coefficients, -1]))
        )
    masks = g.node("Concat", *rows, axis=2)
    boxes = g.decoded([g.decoupled(fine, 16), g.decoupled(coarse, 16)])
    joined = g.node("Concat", boxes, masks, axis=1)
    wide = g.block(g.transposed(g.block(fine, (16, 16), 3), 16), (16, 16), 3)
    prototypes = g.block(wide, (16, COEFFICIENTS), 1)
    return g.save(
        path,
        {
            joined: (1, 4 + CLASSES + coefficients, PLACES),
            prototypes: (1, COEFFICIENTS, SIZE // STRIDE, SIZE // STRIDE),
        },
    )


def described(family: str = "yolov8") -> ModelDescription:
    """Return the description of :func:`yolo_seg_like`."""
    return ModelDescription.model_validate(
        {
            "name": "tiny",
            "version": "1.0.0",
            "task": "instances",
            "labels": [f"class{number}" for number in range(CLASSES)],
            "input": {"width": SIZE, "height": SIZE, "layout": "nhwc", "colour": "rgb", "std": [255] * 3},
            "decoder": {"family": family, "strides": [8, 16], "reg_max": BINS},
            "licence": "Apache-2.0",
            "attribution": "made by the tests",
        }
    )
