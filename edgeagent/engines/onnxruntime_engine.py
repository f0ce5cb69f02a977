"""ONNX Runtime engine: an ONNX artefact on an execution provider."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from edgeagent.engines.delegates import SPINNING
from edgeagent.engines.engine import (
    Array,
    EngineFacts,
    LoadedEngine,
    TensorSpec,
    check_buffers,
    one_line,
)
from edgeagent.engines.input_grid import INPUT_GRID, with_noted_grid
from edgeagent.engines.onnx_file import read_onnx
from edgeagent.engines.provider_plugins import installed_plugins, plugin_devices
from edgeagent.errors import EngineError

PROVIDER = "CPUExecutionProvider"
NO_OPTIONS: Mapping[str, str] = MappingProxyType({})
MOST_BINDINGS = 16  # cached bindings of sets of buffers; a pipeline uses four sets, a worker nine
DTYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int8)": np.int8}


class OnnxRuntimeEngine(LoadedEngine):
    """An ONNX artefact on an execution provider.

    Args:
        path: of the artefact.
        threads: intra-operator threads.
        provider: that runs it. Nodes that it does not support run on the CPU; ``facts.placed`` is its share.
        options: of the provider; those named ``session.*`` are entries of the session's configuration.
        sha256: of the file, in hexadecimal; None does not verify it.

    Arrays given to :meth:`infer` are bound once by address and used in place; nothing is copied or
    allocated for a call with buffers seen before.

    Raises:
        DamagedModelError: the file has another SHA-256.
        EngineError: onnxruntime is not installed, or the file is missing, damaged or uses an operator
            that this onnxruntime does not have.
    """

    def __init__(
        self,
        path: Path,
        threads: int,
        provider: str = PROVIDER,
        options: Mapping[str, str] = NO_OPTIONS,
        sha256: str | None = None,
    ) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise EngineError(f"onnxruntime cannot be imported ({error}); pip install onnxruntime") from error
        content = read_onnx(path, sha256)
        started = time.monotonic()
        try:
            self._session = _open(onnxruntime, content, threads, provider, options)
        except Exception as error:  # the binding raises several types, all derived from Exception
            raise EngineError(
                f"{path}: onnxruntime {onnxruntime.__version__} cannot load it: {one_line(error)}"
            ) from error
        self._outputs = tuple(_specification(item, path) for item in self._session.get_outputs())
        inputs = [_specification(item, path) for item in self._session.get_inputs()]
        noted = self._session.get_modelmeta().custom_metadata_map.get(INPUT_GRID)
        self._inputs = (*(with_noted_grid(spec, noted, path) for spec in inputs[:1]), *inputs[1:])
        self._facts = EngineFacts(
            "onnxruntime",
            onnxruntime.__version__,
            provider,
            threads,
            time.monotonic() - started,
            _placed(self._session, provider),
        )
        self._bindings: dict[tuple[int, ...], tuple[Any, tuple[Array, ...]]] = {}

    def infer(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """See :class:`edgeagent.engines.engine.Engine`."""
        buffers = (*inputs, *outputs)
        key = tuple(buffer.__array_interface__["data"][0] for buffer in buffers)
        bound = self._bindings.get(key)
        if bound is None or any(one is not other for one, other in zip(bound[1], buffers, strict=True)):
            check_buffers(self._inputs, inputs, writable=False)
            check_buffers(self._outputs, outputs, writable=True)
        if bound is None:
            if len(self._bindings) == MOST_BINDINGS:
                del self._bindings[next(iter(self._bindings))]
            # the binding holds addresses, so its buffers must live as long
            bound = self._bindings[key] = (self._bind(inputs, outputs), buffers)
        try:
            self._session.run_with_iobinding(bound[0])
        except Exception as error:
            raise EngineError(f"onnxruntime failed while running: {one_line(error)}") from error

    def close(self) -> None:
        """See :class:`edgeagent.engines.engine.Engine`."""
        self._bindings.clear()
        del self._session

    def _bind(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> Any:
        binding = self._session.io_binding()
        for spec, buffer in zip(self._inputs, inputs, strict=True):
            binding.bind_input(spec.name, "cpu", 0, spec.dtype, spec.shape, buffer.ctypes.data)
        for spec, buffer in zip(self._outputs, outputs, strict=True):
            binding.bind_output(spec.name, "cpu", 0, spec.dtype, spec.shape, buffer.ctypes.data)
        return binding


def _open(onnxruntime: Any, content: bytes, threads: int, provider: str, options: Mapping[str, str]) -> Any:
    """Open a session; a provider that is missing or fails is an error, never a silent fallback to the CPU."""
    built_with = onnxruntime.get_available_providers()
    plugin = provider in installed_plugins()  # once it is registered, it is among the others, too
    if provider not in built_with and not plugin:
        raise EngineError(
            f"it was built without {provider} (it has {', '.join(built_with)}); install the package of this "
            "board"
        )
    wanted = session_options(onnxruntime, threads)
    for name in [name for name in options if name.startswith("session.")]:
        wanted.add_session_config_entry(name, options[name])
    providers: list[Any] = [PROVIDER]
    if provider != PROVIDER:
        wanted.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        providers = [(provider, dict(options)), PROVIDER]
    if plugin:
        wanted.add_provider_for_devices(plugin_devices(onnxruntime, provider)[:1], dict(options))
        session = onnxruntime.InferenceSession(content, wanted)
    else:
        session = onnxruntime.InferenceSession(content, wanted, providers=providers, enable_fallback=0)
    if provider not in session.get_providers():
        raise EngineError(f"{provider} could not be started, and onnxruntime took the CPU instead")
    return session


def _placed(session: Any, provider: str) -> float | None:
    """Return the share of nodes on a provider (``get_provider_graph_assignment_info``, ONNX Runtime 1.24)."""
    if provider == PROVIDER:
        return 1.0
    if not hasattr(session, "get_provider_graph_assignment_info"):  # before 1.24
        return None
    parts = session.get_provider_graph_assignment_info()
    counts = [(part.ep_name == provider, len(part.get_nodes())) for part in parts]
    total = sum(count for _, count in counts)
    return sum(count for own, count in counts if own) / total if total else None


def session_options(onnxruntime: Any, threads: int) -> Any:
    """Return session options: no spinning threads, and exact 8-bit sums on x86 without VNNI.

    Before VNNI, x86 multiplies 8-bit numbers with VPMADDUBSW, whose 16-bit sums saturate; ONNX Runtime
    avoids it when ``session.x64quantprecision`` is set (ONNX Runtime, "Quantize ONNX models").
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry(SPINNING, "0")
    if saturating_multiply():
        options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def saturating_multiply() -> bool:
    """Return whether 8-bit products of this processor saturate: x86-64 without any VNNI extension."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True
    return "vnni" not in flags


def _specification(item: Any, path: Path) -> TensorSpec:
    if item.type not in DTYPES:
        raise EngineError(f"{path}: tensor {item.name} has the unsupported type {item.type}")
    if not all(isinstance(size, int) and size > 0 for size in item.shape):
        raise EngineError(
            f"{path}: tensor {item.name} has the dynamic shape {item.shape}; export a static one"
        )
    return TensorSpec(item.name, tuple(item.shape), np.dtype(DTYPES[item.type]))
