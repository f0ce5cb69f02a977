"""From an artefact to a loaded engine."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

from edgeagent.bundle.manifest import Artefact, Manifest
from edgeagent.errors import EngineError
from edgeagent.runtime.engine import Engine
from edgeagent.runtime.onnxruntime_engine import OnnxRuntimeEngine
from edgeagent.runtime.tflite_engine import PACKAGES, TfliteEngine

ENGINES: dict[str, Callable[[Path, int], Engine]] = {
    "onnxruntime": OnnxRuntimeEngine,
    "tflite": TfliteEngine,
}
FORMATS = {"onnx": "onnxruntime", "tflite": "tflite"}


def available_engines() -> list[str]:
    """Return the engines whose packages are installed."""
    found = ["onnxruntime"] if importlib.util.find_spec("onnxruntime") else []
    tflite = any(importlib.util.find_spec(module.split(".")[0]) for _, module in PACKAGES)
    return [*found, "tflite"] if tflite else found


def choose_artefact(manifest: Manifest, engine: str) -> Artefact:
    """Return the first artefact that ``engine`` (or, for ``auto``, any installed engine) reads.

    One of grid ``b`` is made for TensorRT; these engines run it mostly in float, so it comes last.

    Raises:
        EngineError: there is none.
    """
    wanted = available_engines() if engine == "auto" else [engine]
    readable = [artefact for artefact in manifest.artefacts if FORMATS[artefact.format] in wanted]
    if readable:
        return min(readable, key=lambda artefact: artefact.grid == "b")
    formats = sorted({artefact.format for artefact in manifest.artefacts})
    raise EngineError(
        f"bundle {manifest.name} {manifest.version} holds {formats}; "
        f"{'installed engines' if engine == 'auto' else 'the engine asked for'} {wanted} read none of them"
    )


def load_engine(path: Path, artefact_format: str, threads: int = 0) -> Engine:
    """Load an artefact with the engine that reads its format.

    Args:
        path: of the artefact.
        artefact_format: ``onnx`` or ``tflite``.
        threads: intra-operator threads; 0 is :func:`default_threads`.

    Raises:
        EngineError: see the engines.
    """
    return ENGINES[FORMATS[artefact_format]](path, threads or default_threads())


def default_threads() -> int:
    """Return the processors this process may use, less one for capture, decoding and telemetry."""
    return max(1, len(os.sched_getaffinity(0)) - 1)
