"""Loading an artefact: which engine reads it, on which delegate, with how many threads."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeagent.engines.cache import with_cache
from edgeagent.engines.delegates import Delegate
from edgeagent.engines.engine import Engine
from edgeagent.engines.hailo_engine import HailoEngine
from edgeagent.engines.onnxruntime_engine import OnnxRuntimeEngine
from edgeagent.engines.openvino_engine import OpenvinoEngine
from edgeagent.engines.processors import available_processors
from edgeagent.engines.rknn_engine import RknnEngine
from edgeagent.engines.tflite_engine import PACKAGES, TfliteEngine
from edgeagent.errors import BundleError, EngineError

if TYPE_CHECKING:  # workers import this module, and pydantic takes 10 MB
    from edgeagent.bundle.manifest import Artefact, Manifest

ENGINES: dict[str, Callable[..., Engine]] = {
    "onnxruntime": OnnxRuntimeEngine,
    "openvino": OpenvinoEngine,
    "tflite": TfliteEngine,
    "hailo": HailoEngine,
    "rknn": RknnEngine,
}
READERS = {"onnx": ("onnxruntime", "openvino"), "tflite": ("tflite",), "hef": ("hailo",), "rknn": ("rknn",)}
"""Engines that read each format, the one that ``auto`` prefers first."""

CHOICES = ("auto", *ENGINES)

_MADE_FOR = {"b": "onnxruntime", "c": "openvino"}
"""Engine whose delegates run a grid in integers; the others run it mostly in float. ``a`` is for all."""

Arguments = Callable[[Delegate, Mapping[str, str]], dict[str, Any]]
_ARGUMENTS: dict[str, Arguments] = {
    "onnxruntime": lambda delegate, options: {"provider": delegate.device, "options": options},
    "openvino": lambda delegate, options: {"device": delegate.device, "options": options},
    "tflite": lambda delegate, options: {"library": delegate.library, "options": options},
    "hailo": lambda delegate, options: {},
    "rknn": lambda delegate, options: {},
}
"""Constructor arguments of each engine for an entry of the catalogue."""


def available_engines() -> list[str]:
    """Return the engines whose packages are installed."""
    packages = {
        "onnxruntime": ("onnxruntime",),
        "openvino": ("openvino",),
        "tflite": [module.split(".")[0] for _, module in PACKAGES],
        "hailo": ("hailo_platform",),
        "rknn": ("rknnlite",),
    }
    return [name for name in ENGINES if any(importlib.util.find_spec(package) for package in packages[name])]


def measuring_engines(artefact_format: str, grid: str) -> list[str]:
    """Return the installed engines in which an artefact is measured, the first one always compared.

    Those are all that read the format; for grids ``b`` and ``c`` only the one that the grid is made for,
    where it is installed.

    Args:
        artefact_format: key of :data:`READERS`.
        grid: grid of the artefact, as in a manifest.
    """
    installed = [name for name in READERS[artefact_format] if name in available_engines()]
    if grid not in _MADE_FOR:
        return installed
    return [name for name in installed if name == _MADE_FOR[grid]] or installed[:1]


def choose_artefact(manifest: Manifest, engine: str) -> Artefact:
    """Return the artefact that ``engine`` (or, for ``auto``, any installed engine) reads best.

    One of grid ``c`` is the best for OpenVINO. Otherwise the first one counts; those of grid ``b``, made for
    TensorRT, and ``c`` come last, since other engines run them mostly in float.

    Raises:
        EngineError: there is none.
    """
    wanted = available_engines() if engine == "auto" else [engine]
    readable = [
        item
        for item in manifest.artefacts
        if item.compiled_for is None and set(READERS[item.format]).intersection(wanted)
    ]
    if readable:
        if engine == "openvino" and (made := [artefact for artefact in readable if artefact.grid == "c"]):
            return made[0]
        return min(readable, key=lambda artefact: artefact.grid in _MADE_FOR)
    formats = sorted({artefact.format for artefact in manifest.artefacts})
    raise EngineError(
        f"bundle {manifest.name} {manifest.version} holds {formats}; "
        f"{'installed engines' if engine == 'auto' else 'the engine asked for'} {wanted} read none of them"
    )


def find_artefact(manifest: Manifest, file: str) -> Artefact:
    """Return the artefact of that name.

    Raises:
        BundleError: there is none.
    """
    for artefact in manifest.artefacts:
        if artefact.file == file:
            return artefact
    files = ", ".join(artefact.file for artefact in manifest.artefacts)
    raise BundleError(f"bundle {manifest.name} {manifest.version} has no artefact {file!r}; it has {files}")


def load_engine(
    path: Path, artefact_format: str, threads: int = 0, engine: str = "auto", sha256: str | None = None
) -> Engine:
    """Load an artefact.

    Args:
        path: of the artefact.
        artefact_format: ``onnx``, ``tflite``, ``hef`` or ``rknn``.
        threads: intra-operator threads; 0 is :func:`default_threads`.
        engine: key of :data:`ENGINES`; ``auto`` is the first of the format's readers that is installed.
        sha256: of the file, in hexadecimal; None does not verify it.

    Raises:
        DamagedModelError: the file has another SHA-256.
        EngineError: the engine does not read the format; or see the engines.
    """
    readers = READERS[artefact_format]
    if engine == "auto":
        engine = next((name for name in readers if name in available_engines()), readers[0])
    if engine not in readers:
        raise EngineError(f"{path}: {engine} does not read {artefact_format}; {' and '.join(readers)} do")
    return ENGINES[engine](path, threads or default_threads(), sha256=sha256)


def load_on(
    delegate: Delegate,
    path: Path,
    threads: int = 0,
    cache: Path | None = None,
    sha256: str | None = None,
) -> Engine:
    """Load an artefact on a delegate of the catalogue, in this process.

    Args:
        delegate: that is to run it.
        path: of the artefact.
        threads: intra-operator threads; 0 is :func:`default_threads`.
        cache: folder for what the delegate compiles; without one nothing is kept.
        sha256: of the file, in hexadecimal; the bytes that the engine gets are verified. None does not.

    Raises:
        DamagedModelError: the file has another SHA-256.
        EngineError: the delegate is not there, or cannot load the artefact.
    """
    options = with_cache(delegate.options, path, cache)
    arguments = _ARGUMENTS[delegate.engine](delegate, options)
    return ENGINES[delegate.engine](path, threads or default_threads(), sha256=sha256, **arguments)


def thread_choices() -> list[int]:
    """Return the numbers of threads to try on this board: all processors but one, and all of them.

    See :func:`edgeagent.engines.processors.available_processors`.
    """
    processors = available_processors()
    return sorted({max(1, processors - 1), processors})


def default_threads() -> int:
    """Return the processors of this process minus one, which is left to capture, decoding and telemetry."""
    return max(1, available_processors() - 1)
