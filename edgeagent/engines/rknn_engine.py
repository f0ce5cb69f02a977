"""RKNN engine: a file for Rockchip's NPU, through the package ``rknnlite`` (rknn-toolkit-lite2).

Untested on hardware: it follows the calls of rknn-toolkit-lite2 2.5.0 (``rknnlite/api/rknn_lite.py``), and
is tested with a stand-in of them, which computes with ONNX Runtime.

The input is the picture itself in uint8, channels last: its normalization and its grid are in the file.
Outputs are float32, dequantized by the runtime.
The package returns codes; it prints the reason of a failure.
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
from edgeagent.engines.rknn_file import RknnFile, parse_rknn
from edgeagent.engines.sealed_file import sealed_file
from edgeagent.errors import EngineError

_PICTURE_RANK = 4


class RknnEngine(LoadedEngine):
    """A file for Rockchip's NPU.

    Args:
        path: of the file.
        threads: ignored, as the chip computes; all engines take it.
        sha256: of the file, in hexadecimal; None does not verify it.

    Raises:
        DamagedModelError: the file has another SHA-256.
        EngineError: rknnlite is not installed, the file is missing, damaged or for another chip, or the NPU
            does not start.
    """

    def __init__(self, path: Path, threads: int, sha256: str | None = None) -> None:
        lite = _import_rknnlite()
        content = read_artefact(path, sha256)
        try:
            file = parse_rknn(content)
        except ValueError as error:
            raise EngineError(f"{path}: cannot be loaded: {error}; compile it again") from error
        self._inputs = tuple(_picture(name, shape, path) for name, shape in file.inputs.items())
        self._outputs = tuple(
            TensorSpec(name, shape, np.dtype(np.float32)) for name, shape in file.outputs.items()
        )
        version, started = _version(), time.monotonic()
        self._runtime = lite.RKNNLite()
        try:
            with sealed_file(content, str(path)) as sealed:
                del content
                self._start(sealed)
        except Exception as error:
            self.close()
            raise EngineError(
                f"{path}: rknnlite {version} cannot load it: {_explained(error, file)}"
            ) from error
        took = time.monotonic() - started
        self._facts = EngineFacts("rknn", version, "rknn", threads, took)

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """See :class:`edgeagent.engines.engine.Engine`."""
        check_buffers(self._inputs, inputs, writable=False)
        check_buffers(self._outputs, outputs, writable=True)
        results = self._runtime.inference(inputs=list(inputs), data_format=["nhwc"] * len(inputs))
        if results is None:
            raise EngineError("rknnlite failed while running")
        if len(results) != len(outputs):
            raise EngineError(f"rknnlite gave {len(results)} outputs instead of {len(outputs)}")
        for spec, result, wanted in zip(self._outputs, results, outputs, strict=True):
            if result.shape != spec.shape or result.dtype != spec.dtype:
                raise EngineError(
                    f"rknnlite gave output {spec.name} as {result.dtype} {result.shape} instead of "
                    f"{spec.dtype} {spec.shape}"
                )
            np.copyto(wanted, result)

    def close(self) -> None:
        """See :class:`edgeagent.engines.engine.Engine`."""
        with contextlib.suppress(AttributeError):
            self._runtime.release()
            del self._runtime

    def _start(self, path: Path) -> None:
        """Load the file and start the runtime.

        Raises:
            EngineError: one of them failed.
        """
        if self._runtime.load_rknn(str(path)) != 0:
            raise EngineError("the file cannot be read")
        if self._runtime.init_runtime() != 0:
            raise EngineError("its runtime does not start")


def _import_rknnlite() -> Any:
    try:
        return importlib.import_module("rknnlite.api")
    except ImportError as error:
        raise EngineError(
            f"rknnlite cannot be imported ({error}); pip install rknn-toolkit-lite2, and librknnrt.so of the "
            "board's system"
        ) from error


def _version() -> str:
    import importlib.metadata  # takes 2 MB, and most workers need none of it

    try:
        return importlib.metadata.version("rknn-toolkit-lite2")
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def _picture(name: str, shape: tuple[int, ...], path: Path) -> TensorSpec:
    if len(shape) != _PICTURE_RANK:
        raise EngineError(f"{path}: input {name} has the shape {shape} and is no picture")
    batch, channels, height, width = shape
    return TensorSpec(name, (batch, height, width, channels), np.dtype(np.uint8))


def _explained(error: Exception, file: RknnFile) -> str:
    return (
        f"{one_line(error)}; is this a {' or '.join(file.chips)}, is librknnrt.so as "
        "new as the rknn-toolkit2 that compiled the file, and may this user use /dev/dri?"
    )
