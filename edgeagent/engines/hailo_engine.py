"""Hailo engine: a HEF on the chip, through HailoRT's Python package ``hailo_platform``.

Untested on hardware: it follows HailoRT's own binding (hailo-ai/hailort, ``pyhailort.py``: VDevice's
``create_infer_model``, InferModel's ``configure``, ConfiguredInferModel's ``run``) and is tested with a
stand-in of these calls.

A HEF runs on the chip as a whole, so its placed share is 1. Its tensors have no batch dimension; one of size
1 is added. Inputs are uint8; outputs are float32, dequantized by HailoRT.
"""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Sequence
from pathlib import Path
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
from edgeagent.engines.sealed_file import sealed_file
from edgeagent.errors import EngineError

TIMEOUT = 10.0
"""Timeout of a call in seconds; HailoRT's own default for streams."""

VERSION_SKEW = "error: 76"
"""HAILO_INVALID_DRIVER_VERSION: driver, library and firmware are of different releases."""


class HailoEngine(LoadedEngine):
    """A HEF on the first Hailo chip that is free.

    Args:
        path: of the HEF.
        threads: ignored, as the chip computes; all engines take it.
        sha256: of the file, in hexadecimal; None does not verify it.
        timeout: seconds that a call may take.

    HailoRT reads a HEF by its path; one that is verified lies in a sealed file in memory meanwhile.

    Raises:
        DamagedModelError: the file has another SHA-256.
        EngineError: hailo_platform is not installed, there is no chip, driver and library are of different
            releases, or the HEF is missing, damaged or compiled for another chip.
    """

    def __init__(self, path: Path, threads: int, sha256: str | None = None, timeout: float = TIMEOUT) -> None:
        hailo = _import_hailo()
        content = read_artefact(path, sha256)
        version = str(getattr(hailo, "__version__", "of unknown version"))
        started = time.monotonic()
        self._timeout_ms = max(1, round(timeout * 1000))
        self._open, loading = contextlib.ExitStack(), contextlib.ExitStack()
        try:
            device = self._open.enter_context(hailo.VDevice())
            given = path if sha256 is None else loading.enter_context(sealed_file(content, str(path)))
            del content
            model = device.create_infer_model(str(given))
            for stream in model.inputs:
                stream.set_format_type(hailo.FormatType.UINT8)
            for stream in model.outputs:
                stream.set_format_type(hailo.FormatType.FLOAT32)
            self._inputs = tuple(_specification(stream, path, np.uint8) for stream in model.inputs)
            self._outputs = tuple(_specification(stream, path, np.float32) for stream in model.outputs)
            self._configured = self._open.enter_context(model.configure())
            self._bindings = self._configured.create_bindings()
            loading.close()
        except EngineError:
            loading.close()
            self._open.close()
            raise
        except Exception as error:  # HailoRT's exceptions have no common base
            loading.close()
            self._open.close()
            raise EngineError(f"{path}: hailort {version} cannot load it: {_explained(error)}") from error
        self._facts = EngineFacts("hailo", version, "hailo", threads, time.monotonic() - started, 1.0)

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """See :class:`edgeagent.engines.engine.Engine`."""
        check_buffers(self._inputs, inputs, writable=False)
        check_buffers(self._outputs, outputs, writable=True)
        try:
            for spec, given in zip(self._inputs, inputs, strict=True):
                self._bindings.input(spec.name).set_buffer(given[0])
            for spec, wanted in zip(self._outputs, outputs, strict=True):
                self._bindings.output(spec.name).set_buffer(wanted[0])
            self._configured.run([self._bindings], self._timeout_ms)
        except Exception as error:
            raise EngineError(f"hailort failed while running: {_explained(error)}") from error

    def close(self) -> None:
        """See :class:`edgeagent.engines.engine.Engine`."""
        del self._bindings, self._configured
        self._open.close()


def _import_hailo() -> Any:
    try:
        return importlib.import_module("hailo_platform")
    except ImportError as error:
        raise EngineError(
            f"hailo_platform cannot be imported ({error}); install HailoRT and its Python package"
        ) from error


def _specification(stream: Any, path: Path, dtype: Any) -> TensorSpec:
    if stream.is_nms:
        raise EngineError(
            f"{path}: output {stream.name} holds boxes after non-maximum suppression; compile the HEF up to "
            "the raw heads"
        )
    return TensorSpec(stream.name, (1, *(int(size) for size in stream.shape)), np.dtype(dtype))


def _explained(error: Exception) -> str:
    """Return the message of HailoRT, with what to do about the frequent ones."""
    message = one_line(error)
    if VERSION_SKEW in message:
        return (
            f"{message}: driver, library and firmware are of different releases; install those of one, "
            "and see hailortcli fw-control identify"
        )
    if type(error).__name__ == "HailoRTTimeout":
        return f"{message}; the chip does not answer"
    if "OUT_OF_PHYSICAL_DEVICES" in message:
        return f"{message}: there is no Hailo chip, or another program has it"
    return message
