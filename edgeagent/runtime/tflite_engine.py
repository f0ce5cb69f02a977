"""TFLite behind the engine protocol: ai-edge-litert, or tflite-runtime when that is what is installed."""

from __future__ import annotations

import importlib
import importlib.metadata
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgeagent.errors import EngineError
from edgeagent.runtime.engine import (
    Array,
    EngineFacts,
    TensorSpec,
    check_buffers,
    one_line,
    read_artefact,
)

# libedgetpu is built for one TensorFlow version, so a board may hold the older package on purpose.
PACKAGES = (
    ("ai-edge-litert", "ai_edge_litert.interpreter"),
    ("tflite-runtime", "tflite_runtime.interpreter"),
)


class TfliteEngine:
    """A TFLite artefact on the CPU, with the package's default delegate (XNNPACK).

    The interpreter owns its tensors, so a call copies the input in and the outputs out.

    Raises:
        EngineError: no TFLite package is installed, or the file is missing, damaged or uses an operator
            that this package does not have.
    """

    def __init__(self, path: Path, threads: int) -> None:
        package, module = _find_package()
        content = read_artefact(path)
        version = _version(package)
        started = time.monotonic()
        try:
            self._interpreter = module.Interpreter(model_content=content, num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise EngineError(f"{path}: {package} {version} cannot load it: {one_line(error)}") from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._inputs = tuple(_specification(item, path) for item in inputs)
        self._outputs = tuple(_specification(item, path) for item in outputs)
        self._input_views = [self._view(item) for item in inputs]
        self._output_views = [self._view(item) for item in outputs]
        self._facts = EngineFacts("tflite", version, "XNNPACK", threads, time.monotonic() - started)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """See :class:`edgeagent.runtime.engine.Engine`."""
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """See :class:`edgeagent.runtime.engine.Engine`."""
        return self._outputs

    @property
    def facts(self) -> EngineFacts:
        """See :class:`edgeagent.runtime.engine.Engine`."""
        return self._facts

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """See :class:`edgeagent.runtime.engine.Engine`."""
        check_buffers(self._inputs, inputs, writable=False)
        check_buffers(self._outputs, outputs, writable=True)
        # the interpreter refuses to run while somebody holds an array of its memory: views live one copy
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
        """See :class:`edgeagent.runtime.engine.Engine`."""
        self._input_views.clear()
        self._output_views.clear()
        del self._interpreter

    def _view(self, detail: dict[str, Any]) -> Any:
        return self._interpreter.tensor(detail["index"])


def _find_package() -> tuple[str, Any]:
    for package, module in PACKAGES:
        try:
            return package, importlib.import_module(module)
        except ImportError:
            continue
    raise EngineError("no TFLite package is installed; pip install 'edgeagent[tflite]' (or tflite-runtime)")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # a nightly, or built by a distribution
        return "of unknown version"


def _specification(detail: dict[str, Any], path: Path) -> TensorSpec:
    dtype = np.dtype(detail["dtype"])
    if dtype.kind not in "fiu":
        raise EngineError(f"{path}: tensor {detail['name']} has the unsupported type {dtype.name}")
    scale, zero_point = detail["quantization"]
    shape = tuple(int(size) for size in detail["shape"])
    return TensorSpec(detail["name"], shape, dtype, float(scale) if scale else None, int(zero_point))
