"""Tiny bundle of arbitrary bytes, for tests without an engine."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from edgeagent.bundle.golden import ReferenceOutputs, save_reference_outputs
from edgeagent.bundle.reading import MANIFEST, Bundle
from edgeagent.bundle.writing import write_bundle

ARTEFACT = "engines/tiny.onnx"
PICTURE = "golden/0.png"
OUTPUTS = "golden/outputs.npz"

_RAW = [
    {"name": f"{role}_{stride}", "role": role, "stride": stride}
    for stride in (8, 16)
    for role in ("box", "objectness", "classes")
]
_FIELDS: dict[str, Any] = {
    "name": "tiny",
    "version": "1.2.3",
    "task": "detection",
    "labels": ["person", "Straßenbahn"],
    "input": {"width": 64, "height": 32, "layout": "nhwc", "colour": "bgr"},
    "decoder": {"family": "yolox", "strides": [8, 16]},
    "artefacts": [{"file": ARTEFACT, "format": "onnx", "grid": "a", "outputs": _RAW}],
    "golden": {"pictures": [PICTURE], "outputs": OUTPUTS, "tolerance": 2.0},
    "licence": "Apache-2.0",
    "attribution": "made by the tests",
    "minimum_agent_version": "0.1.0",
}


def fields(**changes: Any) -> dict[str, Any]:
    """Return the manifest's fields without hashes, with changes applied."""
    return {**copy.deepcopy(_FIELDS), **changes}


def files() -> dict[str, Path | bytes]:
    """Return the content of the bundle's files."""
    return {ARTEFACT: b"not really ONNX" * 1000, PICTURE: b"not really PNG", OUTPUTS: golden_bytes()}


def golden_bytes() -> bytes:
    """Return a golden set of one picture and one output."""
    buffer = io.BytesIO()
    save_reference_outputs(buffer, ReferenceOutputs(((np.ones((1, 2, 3, 4), np.float32),),), (0.5,)))
    return buffer.getvalue()


def build(directory: Path, **changes: Any) -> Bundle:
    """Write the bundle."""
    return write_bundle(directory, fields(**changes), files())


def edit(directory: Path, **changes: Any) -> None:
    """Change fields of a written manifest without validation or new hashes."""
    data = yaml.safe_load((directory / MANIFEST).read_text(encoding="utf-8"))
    (directory / MANIFEST).write_text(yaml.safe_dump({**data, **changes}), encoding="utf-8")
