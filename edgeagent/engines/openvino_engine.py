"""OpenVINO engine: an ONNX artefact on a device of OpenVINO.

On x86 without VNNI the 16-bit sums of 8-bit products saturate; OpenVINO's documented workaround is weights of
7 bits ("Saturation (overflow) Issue Workaround"). Artefacts with 8-bit weights are therefore computed in
float32 on their 8-bit grids there, which is exact: OpenVINO's low-precision transformations are switched off,
and the delegate is reported as :data:`FLOAT_DELEGATE`. The same is done on arm64, where the transformations
of OpenVINO 2026.4 refuse graphs in which a convolution follows tensors of several precisions
(``AlignUnsupportedLPConvFQPrecision: Check 'conv_precisions.size() == 1' failed``; docs/adr/0035-arm64.md).

What is not quantized is computed in float32, or in bfloat16 or float16 where the entry of the catalogue says
so and the processor has it; the delegate is then reported as ``CPU-bf16`` or ``CPU-f16``.
"""

from __future__ import annotations

import importlib
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeagent.engines.delegates import NOTHING, PRECISION
from edgeagent.engines.engine import (
    Array,
    EngineFacts,
    LoadedEngine,
    TensorSpec,
    check_buffers,
)
from edgeagent.engines.input_grid import INPUT_GRID, with_noted_grid
from edgeagent.engines.onnx_file import read_onnx
from edgeagent.engines.onnxruntime_engine import MOST_BINDINGS, saturating_multiply
from edgeagent.errors import EngineError

DEVICE = "CPU"
FLOAT_DELEGATE = "CPU-float32"
FLOAT32 = "f32"
DTYPES = {"f32": np.float32, "u8": np.uint8, "i8": np.int8}
_TELEMETRY = "openvino_telemetry"
_NO_INTEGERS = ("aarch64", "arm64")
_NOTED = ["framework", INPUT_GRID]
_NOISE = ("Exception from", "Check '", "Summary:", "To facilitate")


@dataclass(frozen=True)
class _Binding:
    """OpenVINO tensors over one set of buffers, which it keeps alive.

    Attributes:
        buffers: inputs, then outputs.
        inputs: tensors of the inputs, in call order.
        outputs: tensors of the outputs, in call order.
        copies: (copy in a tensor, read-only buffer) of the inputs that cannot be shared.
    """

    buffers: tuple[Array, ...]
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    copies: tuple[tuple[Array, Array], ...]


class OpenvinoEngine(LoadedEngine):
    """An ONNX artefact on a device of OpenVINO.

    Args:
        path: of the artefact.
        threads: of the CPU device.
        device: ``CPU``, ``GPU`` or ``NPU``.
        options: of the entry in the catalogue; only the precision on the CPU is used.
        sha256: of the file, in hexadecimal; None does not verify it.

    Arrays given to :meth:`infer` become OpenVINO tensors once and are used in place; only a read-only input,
    which OpenVINO refuses, is copied.

    Raises:
        DamagedModelError: the file has another SHA-256.
        EngineError: openvino is not installed, or the file is missing, damaged or uses an operator that
            this openvino does not have, or openvino does not compute in the given precision here.
    """

    def __init__(
        self,
        path: Path,
        threads: int,
        device: str = DEVICE,
        options: Mapping[str, str] = NOTHING,
        sha256: str | None = None,
    ) -> None:
        openvino = _import_openvino()
        content = read_onnx(path, sha256)
        version = openvino.__version__.split("-")[0]
        exact = device == DEVICE and computes_in_float32()
        precision = options.get(PRECISION, FLOAT32)
        started = time.monotonic()
        try:
            core = openvino.Core()
            model = core.read_model(content)
            inputs = [_specification(port, path) for port in model.inputs]
            self._outputs = tuple(_specification(port, path) for port in model.outputs)
            compiled = core.compile_model(model, device, _options(device, threads, exact, precision))
            _check_precision(compiled, device, precision)
            self._request = compiled.create_infer_request()
            noted = model.get_rt_info(_NOTED).astype(str) if model.has_rt_info(_NOTED) else None
        except EngineError:
            raise
        except Exception as error:  # the binding raises several types, all derived from Exception
            raise EngineError(f"{path}: openvino {version} cannot load it: {_reason(error)}") from error
        self._inputs = (*(with_noted_grid(spec, noted, path) for spec in inputs[:1]), *inputs[1:])
        delegate = FLOAT_DELEGATE if exact else device
        delegate = delegate if precision == FLOAT32 else f"{device}-{precision}"
        self._facts = EngineFacts("openvino", version, delegate, threads, time.monotonic() - started, 1.0)
        self._tensor = openvino.Tensor
        self._bindings: dict[tuple[int, ...], _Binding] = {}
        self._set: _Binding | None = None

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """See :class:`edgeagent.engines.engine.Engine`."""
        binding = self._binding(inputs, outputs)
        for copy, given in binding.copies:
            np.copyto(copy, given)
        try:
            if binding is not self._set:
                for index, tensor in enumerate(binding.inputs):
                    self._request.set_input_tensor(index, tensor)
                for index, tensor in enumerate(binding.outputs):
                    self._request.set_output_tensor(index, tensor)
                self._set = binding
            self._request.infer(share_outputs=True)
        except Exception as error:
            self._set = None
            raise EngineError(f"openvino failed while running: {_reason(error)}") from error

    def close(self) -> None:
        """See :class:`edgeagent.engines.engine.Engine`."""
        self._bindings.clear()
        self._set = None
        del self._request

    def _binding(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> _Binding:
        buffers = (*inputs, *outputs)
        key = tuple(buffer.__array_interface__["data"][0] for buffer in buffers)
        known = self._bindings.get(key)
        if known and all(one is other for one, other in zip(known.buffers, buffers, strict=True)):
            return known
        check_buffers(self._inputs, inputs, writable=False)
        check_buffers(self._outputs, outputs, writable=True)
        if len(self._bindings) == MOST_BINDINGS and key not in self._bindings:
            del self._bindings[next(iter(self._bindings))]
        self._bindings[key] = self._bind(inputs, outputs)
        return self._bindings[key]

    def _bind(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> _Binding:
        shared = [given if given.flags.writeable else np.empty_like(given) for given in inputs]
        return _Binding(
            (*inputs, *outputs),
            tuple(self._tensor(buffer, shared_memory=True) for buffer in shared),
            tuple(self._tensor(buffer, shared_memory=True) for buffer in outputs),
            tuple((one, given) for one, given in zip(shared, inputs, strict=True) if one is not given),
        )


def computes_in_float32() -> bool:
    """Return whether the CPU device computes 8-bit products in float32 on this processor."""
    return platform.machine() in _NO_INTEGERS or saturating_multiply()


def _options(device: str, threads: int, exact: bool, precision: str) -> dict[str, Any]:
    """Return properties of a device.

    On the CPU, the precision of float tensors is given (OpenVINO would choose bfloat16 on some processors),
    and threads are not pinned to cores that the rest of the agent uses.
    """
    if device != DEVICE:
        return {"PERFORMANCE_HINT": "LATENCY"}
    options: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        PRECISION: precision,
        "ENABLE_CPU_PINNING": False,
    }
    return {**options, "LP_TRANSFORMS_MODE": False} if exact else options


def _check_precision(compiled: Any, device: str, precision: str) -> None:
    """Refuse a model that OpenVINO computes in another precision than it was told to."""
    if device != DEVICE or precision == FLOAT32:
        return
    used = compiled.get_property(PRECISION).get_type_name()
    if used != precision:
        raise EngineError(f"openvino computes in {used} on this processor, not in {precision}")


def _import_openvino() -> Any:
    """Import openvino without its telemetry.

    The package reports every import over the network unless the user has opted out or
    ``openvino_telemetry`` is not installed. During the import that module is made to appear missing.
    """
    missing = _TELEMETRY not in sys.modules
    if missing:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # as documented for imports
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise EngineError(
            f"openvino cannot be imported ({error}); pip install 'edgeagent[openvino]'"
        ) from error
    finally:
        if missing:
            del sys.modules[_TELEMETRY]


def _specification(port: Any, path: Path) -> TensorSpec:
    name, kind = port.get_any_name(), port.element_type.get_type_name()
    if kind not in DTYPES:
        raise EngineError(f"{path}: tensor {name} has the unsupported type {kind}")
    if not port.partial_shape.is_static:
        raise EngineError(
            f"{path}: tensor {name} has the dynamic shape {port.partial_shape}; export a static one"
        )
    return TensorSpec(name, tuple(port.shape), np.dtype(DTYPES[kind]))


def _reason(error: Exception) -> str:
    """Return the message of openvino's own error in one line, without locations in its source code."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith(_NOISE)]
    return " ".join(told) or " ".join(str(error).split())
