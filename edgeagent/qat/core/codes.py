"""8-bit codes and the kinds of grids that activations lie on.

- ``affine``: scale and zero point, for TFLite, Edge TPU, ONNX Runtime and OpenVINO;
- ``symmetric``: scale only, real 0 is int8 code 0, for TensorRT;
- ``partial``: scale and zero point where convolutions read, float elsewhere, for OpenVINO.

Weights are int8, symmetric and per channel on all. Manifests and recipes store the kinds under the short
names of :data:`STORED_NAMES`.
"""

from __future__ import annotations

from typing import Literal

from edgeagent.bundle.manifest import GridName

LEVELS = 256
"""Number of codes of an activation grid; codes are counted 0..255, int8 codes are 128 less."""

HIGHEST = LEVELS - 1
SYMMETRIC_ZERO = LEVELS // 2
"""Code of real 0 on a symmetric grid, counted 0..255."""

WEIGHT_HIGHEST = 127
"""Highest int8 code of weights, whose codes are -127..127, and of symmetric activations."""

GridKind = Literal["affine", "symmetric", "partial"]
ArtefactGrid = Literal["affine", "symmetric", "partial", "float"]
"""Kind of grid that an artefact was exported on; ``float`` for a float reference."""

STORED_NAMES: dict[ArtefactGrid, GridName] = {
    "affine": "a",
    "symmetric": "b",
    "partial": "c",
    "float": "float",
}
"""Value of ``grid`` in a manifest, see docs/bundle.md."""
