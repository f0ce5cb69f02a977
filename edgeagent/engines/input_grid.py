"""Grid (scale and zero point) of an integer ONNX input, read from the metadata of the artefact.

ONNX has no field for it; edgeagent's exporter writes it as JSON into a metadata entry. Workers read it, so
pydantic, which takes 10 MB, is not used.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgeagent.engines.engine import TensorSpec
from edgeagent.errors import EngineError

INPUT_GRID = "edgeagent.input"
"""Name of the metadata entry; it holds ``{"scale": s, "zero_point": z}`` as JSON."""


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
        scale, zero_point = _parse(noted)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise EngineError(
            f"{path}: its metadata entry {INPUT_GRID} holds no grid: {noted[:60]!r}; export it again"
        ) from error
    if not 0 < scale < float("inf"):
        raise EngineError(f"{path}: its input has the scale {scale:g}; export it again")
    return replace(spec, scale=scale, zero_point=zero_point)


def _parse(noted: str) -> tuple[float, int]:
    """Return scale and zero point.

    Raises:
        ValueError, TypeError, KeyError, OverflowError, RecursionError: the text is no grid.
    """
    found = json.loads(noted)
    scale, zero_point = found["scale"], found["zero_point"]
    for number in (scale, zero_point):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise TypeError(f"{number!r} is no number")
    if zero_point != int(zero_point):
        raise ValueError(f"{zero_point!r} is no whole number")
    return float(scale), int(zero_point)
