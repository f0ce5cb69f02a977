"""Grid (scale and zero point) of an integer ONNX input, read from the metadata of the artefact.

ONNX has no field for it; edgeagent's exporter writes it as JSON into a metadata entry.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgeagent.engines.engine import TensorSpec
from edgeagent.errors import EngineError
from edgeagent.files.state_json import DamagedJsonError, parse_json

INPUT_GRID = "edgeagent.input"
"""Name of the metadata entry; it holds ``{"scale": s, "zero_point": z}`` as JSON."""


@dataclass(frozen=True)
class _Grid:
    scale: float
    zero_point: int


def with_noted_grid(spec: TensorSpec, noted: str | None, path: Path) -> TensorSpec:
    """Return the specification of an input with the grid of the metadata entry.

    Args:
        spec: of the input, as the engine reports it.
        noted: content of the metadata entry; None when there is none.
        path: of the artefact, for messages.

    Raises:
        EngineError: the entry is no grid.
    """
    if noted is None or spec.dtype == np.float32:
        return spec
    try:
        grid = parse_json(noted, _Grid)
    except DamagedJsonError as error:
        raise EngineError(
            f"{path}: its metadata entry {INPUT_GRID} holds no grid: {noted[:60]!r}; export it again"
        ) from error
    if not 0 < grid.scale < float("inf"):
        raise EngineError(f"{path}: its input has the scale {grid.scale:g}; export it again")
    return replace(spec, scale=grid.scale, zero_point=grid.zero_point)
