"""Engine protocol: arrays in, arrays out.

The caller owns the buffers, so that they can lie in shared memory and nothing is allocated for a frame.
Engines hold no global state.
"""

from __future__ import annotations

import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from edgeagent.errors import DamagedModelError, EngineError

Array = npt.NDArray[Any]
DetectionRole = Literal["boxes", "classes", "scores", "count"]
"""Output of the operator TFLite_Detection_PostProcess."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Shape and type of an input or output tensor.

    Attributes:
        name: name in the artefact.
        shape: static shape, batch included.
        dtype: numpy dtype of the buffer.
        scale: real = scale * (code - zero_point); None when the tensor holds real numbers.
        zero_point: code of real 0; only meaningful with a scale.
        role: output of the detection operator that the tensor holds; None for any other tensor.
        classes: lowest number of classes of the detection operator, on its output ``classes``; None if it
            is not known.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float | None = None
    zero_point: int = 0
    role: DetectionRole | None = None
    classes: int | None = None

    def allocate(self) -> Array:
        """Return a zeroed buffer of this shape and dtype."""
        return np.zeros(self.shape, self.dtype)

    def dequantize(self, codes: Array) -> npt.NDArray[np.float32]:
        """Return real numbers (float32) for an array of this tensor, or of a part of it."""
        if self.scale is None:
            return codes.astype(np.float32, copy=False)
        real: npt.NDArray[np.float32] = codes.astype(np.float32)
        real -= np.float32(self.zero_point)
        real *= np.float32(self.scale)
        return real


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """Facts of a loaded engine, for telemetry and reports.

    Attributes:
        engine: ``onnxruntime``, ``openvino``, ``tflite``, ``hailo`` or ``rknn``.
        version: version of the engine's package.
        delegate: execution provider or delegate that runs the graph.
        threads: intra-operator threads.
        load_s: seconds to load the artefact.
        placed: share of the operators that the delegate runs, 0..1; the rest runs on the CPU. None where the
            engine does not report it.
    """

    engine: str
    version: str
    delegate: str
    threads: int
    load_s: float
    placed: float | None = None


@dataclass(frozen=True)
class Buffers:
    """Input and output arrays of one call.

    Attributes:
        inputs: one for each input tensor, in call order.
        outputs: one for each output tensor, in call order.
    """

    inputs: Sequence[Array]
    outputs: Sequence[Array]


class Engine(Protocol):
    """A loaded artefact.

    Errors are :class:`edgeagent.errors.EngineError`.
    """

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Specifications of the input tensors, in call order."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Specifications of the output tensors, in call order."""

    @property
    def facts(self) -> EngineFacts:
        """Facts for telemetry and reports."""

    def allocate(self) -> Buffers:
        """Return buffers that the engine uses without copying them."""

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """Run once, reading ``inputs`` and writing ``outputs``, which match the specifications."""

    def begin(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> Call:
        """Begin to run once; the buffers belong to the engine until the call is done.

        An engine in this process runs the call before this returns.
        """

    def close(self) -> None:
        """Free the engine; it cannot be used afterwards."""


class Call(Protocol):
    """A run that was begun."""

    def wait(self) -> int:
        """Wait until it is done, and return the nanoseconds that the engine worked.

        Raises:
            EngineError: it failed.
        """


@dataclass(frozen=True, slots=True)
class Done:
    """A call that is done.

    Attributes:
        took_ns: nanoseconds that the engine worked.
    """

    took_ns: int

    def wait(self) -> int:
        """Return the nanoseconds that the engine worked."""
        return self.took_ns


class LoadedEngine(ABC):
    """Base of all engines with a loaded artefact; see :class:`Engine`."""

    _inputs: tuple[TensorSpec, ...]
    _outputs: tuple[TensorSpec, ...]
    _facts: EngineFacts

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Specifications of the input tensors, in call order."""
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Specifications of the output tensors, in call order."""
        return self._outputs

    @property
    def facts(self) -> EngineFacts:
        """Facts for telemetry and reports."""
        return self._facts

    @abstractmethod
    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """Run once; see :class:`Engine`."""

    def begin(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> Call:
        """Run once, before this returns."""
        started = time.monotonic_ns()
        self.infer(inputs, outputs)
        return Done(time.monotonic_ns() - started)

    def allocate(self) -> Buffers:
        """Return buffers of this process's own memory."""
        return Buffers(
            tuple(spec.allocate() for spec in self._inputs), tuple(spec.allocate() for spec in self._outputs)
        )


def read_artefact(path: Path, sha256: str | None = None) -> bytes:
    """Return the content of an artefact, read once.

    Args:
        path: of the file.
        sha256: expected of the content, in hexadecimal; None where nothing is known of it.

    Raises:
        DamagedModelError: the content has another SHA-256, or the SHA-256 is known and there is no content.
        EngineError: it cannot be read, is empty, or is no file, such as a pipe that would be waited for.
    """
    kind = EngineError if sha256 is None else DamagedModelError
    try:
        if path.exists() and not path.is_file():
            raise kind(f"{path}: is no file; give the path of a model")
        content = path.read_bytes()
    except OSError as error:
        raise kind(f"{path}: the model cannot be read ({error.strerror}); check the path") from error
    if not content:
        raise kind(f"{path}: the model is empty; copy it again")
    if sha256 is not None and (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise DamagedModelError(
            f"{path}: the model is damaged and was not loaded: it has the sha256 {found[:12]}..., the "
            f"manifest says {sha256[:12]}...; copy the bundle again"
        )
    return content


def check_buffers(specs: Sequence[TensorSpec], buffers: Sequence[Array], *, writable: bool) -> None:
    """Check buffers before an engine reads or writes them by address.

    Raises:
        EngineError: their number, a shape, a dtype or the order in memory is not that of the specification,
            or a buffer to write into is read-only.
    """
    if len(specs) != len(buffers):
        names = ", ".join(spec.name for spec in specs)
        raise EngineError(f"got {len(buffers)} buffers for {len(specs)} tensors ({names})")
    for spec, buffer in zip(specs, buffers, strict=True):
        if buffer.shape != spec.shape or buffer.dtype != spec.dtype or not buffer.flags.c_contiguous:
            order = "" if buffer.flags.c_contiguous else ", not contiguous"
            raise EngineError(
                f"tensor {spec.name} needs a contiguous {spec.dtype} buffer of shape {spec.shape}, "
                f"got {buffer.dtype} {buffer.shape}{order}"
            )
        if writable and not buffer.flags.writeable:
            raise EngineError(f"tensor {spec.name} needs a buffer to write into, got a read-only one")


def one_line(error: Exception) -> str:
    """Return the message of an engine's own error in one line."""
    return " ".join(str(error).split())
