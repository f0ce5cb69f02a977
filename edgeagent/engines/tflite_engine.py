"""TFLite engine: a TFLite artefact in ai-edge-litert or tflite-runtime.

Of two installed packages, ai-edge-litert runs on the CPU, where it is the newer and faster one.
tflite-runtime runs a delegate's library: libedgetpu is built for one TensorFlow version, and the older
package is installed to match it.
"""

from __future__ import annotations

import ctypes
import importlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from edgeagent.engines.engine import (
    Array,
    EngineFacts,
    LoadedEngine,
    TensorSpec,
    check_buffers,
    one_line,
    read_artefact,
)
from edgeagent.engines.tflite_file import NONE, DetectionOutputs, find_detection_outputs
from edgeagent.errors import EngineError

NO_OPTIONS: Mapping[str, str] = MappingProxyType({})

WEIGHTS = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1}
"""Operators with weights, and the index of the input that holds the weights."""

COMPILED = "edgetpu-custom-op"
"""Operator that the Edge TPU compiler puts in place of the operators that the chip runs."""

PLUGIN = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")
"""Symbols of a delegate's library (tensorflow/lite/delegates/external/external_delegate_interface.h)."""

PACKAGES = (
    ("ai-edge-litert", "ai_edge_litert.interpreter"),
    ("tflite-runtime", "tflite_runtime.interpreter"),
)
"""Packages and their modules, the one for the CPU first."""


class TfliteEngine(LoadedEngine):
    """A TFLite artefact on the CPU with the package's default delegate (XNNPACK), or on another delegate.

    Args:
        path: of the artefact.
        threads: of the CPU kernels.
        library: shared library of a delegate; None uses XNNPACK.
        options: of that delegate.
        sha256: of the file, in hexadecimal; None does not verify it.

    The interpreter owns its tensors, so a call copies the input in and the outputs out.

    Raises:
        DamagedModelError: the file has another SHA-256.
        EngineError: no TFLite package is installed, or the file is missing, damaged or uses an operator
            that this package does not have.
    """

    def __init__(
        self,
        path: Path,
        threads: int,
        library: str | None = None,
        options: Mapping[str, str] = NO_OPTIONS,
        sha256: str | None = None,
    ) -> None:
        package, module = _find_package(PACKAGES if library is None else PACKAGES[::-1])
        content = read_artefact(path, sha256)
        version = _version(package)
        started = time.monotonic()
        # the interpreter holds no reference to its delegates
        self._delegates = [] if library is None else [_load_delegate(module, library, options)]
        try:
            self._interpreter = module.Interpreter(
                model_content=content, num_threads=threads, experimental_delegates=self._delegates
            )
            # XNNPACK takes the remaining operators when tensors are allocated, so read the share before
            placed = None if library is None else _placed(self._interpreter)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise EngineError(
                f"{path}: {package} {version} cannot load it: {_explained(one_line(error), library)}"
            ) from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._inputs = tuple(_specification(item, path) for item in inputs)
        roles = find_detection_outputs(content)
        self._outputs = tuple(_specification(item, path, roles) for item in outputs)
        self._input_views = [self._view(item) for item in inputs]
        self._output_views = [self._view(item) for item in outputs]
        delegate = "XNNPACK" if library is None else Path(library).name
        if library is None:
            placed = _placed(self._interpreter)
        took = time.monotonic() - started
        self._facts = EngineFacts("tflite", version, delegate, threads, took, placed)

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """See :class:`edgeagent.engines.engine.Engine`."""
        check_buffers(self._inputs, inputs, writable=False)
        check_buffers(self._outputs, outputs, writable=True)
        # the interpreter refuses to run while an array refers to its memory, so views are not kept
        for view, given in zip(self._input_views, inputs, strict=True):
            np.copyto(view(), given, casting="no")
        try:
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise EngineError(f"tflite failed while running: {one_line(error)}") from error
        for spec, view, wanted in zip(self._outputs, self._output_views, outputs, strict=True):
            if view().shape != spec.shape:
                raise EngineError(
                    f"tflite gave output {spec.name} the shape {view().shape} instead of {spec.shape}; "
                    "export a model of static shapes"
                )
            np.copyto(wanted, view(), casting="no")

    def close(self) -> None:
        """See :class:`edgeagent.engines.engine.Engine`."""
        self._input_views.clear()
        self._output_views.clear()
        del self._interpreter
        self._delegates.clear()

    def _view(self, detail: dict[str, Any]) -> Any:
        return self._interpreter.tensor(detail["index"])


def _find_package(packages: Sequence[tuple[str, str]]) -> tuple[str, Any]:
    """Return the first package that can be imported, and its module."""
    for package, module in packages:
        try:
            return package, importlib.import_module(module)
        except ImportError:
            continue
    raise EngineError("no TFLite package is installed; pip install ai-edge-litert (or tflite-runtime)")


def _load_delegate(module: Any, library: str, options: Mapping[str, str]) -> Any:
    """Load a delegate's library.

    Raises:
        EngineError: it is missing, is no delegate, or does not start.
    """
    try:
        # the package prints a traceback for a library that is no delegate, so check its symbols before
        symbols = ctypes.PyDLL(library)
    except OSError as error:
        reason = one_line(error).removeprefix(f"{library}: ")
        raise EngineError(
            f"{library}: the library cannot be opened ({reason}); install the one for this machine"
        ) from error
    for symbol in PLUGIN:
        if not hasattr(symbols, symbol):
            raise EngineError(f"{library}: is no TFLite delegate (it has no {symbol}); check the path")
    try:
        return module.load_delegate(library, dict(options))
    except ValueError as error:
        told = one_line(error).removeprefix(f"Failed to load delegate from {library}").strip()
        raise EngineError(
            f"{library}: the delegate does not start{f' ({told})' if told else ''}; is its device there, and "
            "may this user use it?"
        ) from error


def _explained(message: str, library: str | None) -> str:
    """Return an interpreter's message, with an explanation of the frequent ones."""
    if f"unresolved custom op: {COMPILED}" in message:
        reason = "without its delegate" if library is None else f"but {Path(library).name} does not take it"
        return f"it was compiled for the Edge TPU ({COMPILED}), {reason}; run it on tflite-edgetpu"
    if library is not None and "failed to prepare" in message:
        return (
            f"{message.rstrip('.')}: {Path(library).name} was built for another TensorFlow than this "
            "package; install versions that belong together"
        )
    return message


def _placed(interpreter: Any) -> float | None:
    """Return the share of the operators with weights that run on delegates, 0..1; None if not known.

    The interpreter lists replaced operators together with the DELEGATE operators that replace them; an
    operator was replaced if its weights are an input of a DELEGATE operator. The operator of the Edge TPU
    compiler counts as placed, since only a delegate runs it. The list is no documented interface and may be
    missing.
    """
    try:
        details = interpreter._get_ops_details()
    except (AttributeError, RuntimeError, ValueError):
        return None
    taken = {int(index) for one in details if one["op_name"] == "DELEGATE" for index in one["inputs"]}
    weights = [int(one["inputs"][WEIGHTS[one["op_name"]]]) for one in details if one["op_name"] in WEIGHTS]
    placed = [index in taken for index in weights] + [True for one in details if one["op_name"] == COMPILED]
    return sum(placed) / len(placed) if placed else None


def _version(package: str) -> str:
    import importlib.metadata  # takes 2 MB, and most workers need none of it

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # a nightly build, or one of a distribution
        return "of unknown version"


def _specification(detail: dict[str, Any], path: Path, roles: DetectionOutputs = NONE) -> TensorSpec:
    dtype = np.dtype(detail["dtype"])
    if dtype.kind not in "fiu":
        raise EngineError(f"{path}: tensor {detail['name']} has the unsupported type {dtype.name}")
    scale, zero_point = detail["quantization"]
    shape = tuple(int(size) for size in detail["shape"])
    role = roles.roles.get(int(detail["index"]))
    classes = roles.classes if role == "classes" else None
    return TensorSpec(
        detail["name"], shape, dtype, float(scale) if scale else None, int(zero_point), role, classes
    )
