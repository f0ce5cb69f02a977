"""The delegate catalogue: what can run an artefact, as data.

A delegate here is whatever executes the graph for an engine: an execution provider of ONNX Runtime, a device
of OpenVINO, a TFLite delegate. Each entry says what it reads, what must be there, how it is loaded, how its
failures look, and how real placement is told from a silent fall back to the CPU. Whether it is there is found
out by :mod:`edgeagent.engines.availability`; whether it is right and fast, only by trying
(:mod:`edgeagent.detection.trials`).

Sources: the delegates' own documentation; failure modes as users of comparable agents report them
(docs/adr/0016).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from edgeagent.errors import EngineError

Tested = Literal["run here", "stand-in", "untested"]
"""``run here``: the real part runs in the tests; ``stand-in``: a stand-in of its interface does."""

EXTERNAL = "tflite-external"
"""Name of a TFLite delegate that is given by its path."""

CACHE = "{cache}"
"""In an option: a folder of its own for each model, version and board; see :mod:`edgeagent.engines.cache`."""

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Needs:
    """What must be there. All that is given must be found, and one of several alternatives.

    Attributes:
        packages: importable modules, one of them.
        provider: that onnxruntime was built with.
        library: shared library that can be loaded.
        nodes: device nodes as glob patterns below the root, one of them.
        usb: vendor:product of USB devices, one of them; counts as an alternative to ``nodes``.
        machines: of :func:`platform.machine`; empty for all.
        group: whose members may use the device node.
    """

    packages: tuple[str, ...]
    provider: str | None = None
    library: str | None = None
    nodes: tuple[str, ...] = ()
    usb: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    group: str | None = None

    @property
    def hardware(self) -> bool:
        """Whether it is more than a library on the processor."""
        return bool(self.nodes or self.usb or self.library)


@dataclass(frozen=True)
class Delegate:
    """One entry.

    Attributes:
        name: unique, as in the configuration.
        engine: key of :data:`edgeagent.engines.loading.ENGINES`.
        format: of the artefact it reads.
        grids: of the artefacts it can use, the better first.
        needs: what must be there.
        tested: how this project tests it.
        compiled_for: what an artefact must have been compiled for; None takes those that were not compiled.
        device: of the engine: execution provider, OpenVINO device or option value; None is the engine's own.
        options: passed to the provider or delegate library.
        retry: whether a failure to load may pass by itself, as a USB stick that enumerates anew.
        failures: how its failures look, for people.
        placement: how real placement is told from a fall back, for people.
    """

    name: str
    engine: str
    format: str
    needs: Needs
    tested: Tested
    failures: str
    placement: str
    grids: tuple[str, ...] = ("a", "float")
    compiled_for: str | None = None
    device: str | None = None
    options: Mapping[str, str] = field(default_factory=lambda: NOTHING, hash=False)
    retry: bool = False

    @property
    def library(self) -> str | None:
        """The shared library of a TFLite delegate."""
        return self.needs.library


_TFLITE = ("ai_edge_litert", "tflite_runtime")
_CONVOLUTIONS = "share of the operators with weights that the delegate took"


def _provider(
    name: str,
    provider: str,
    tested: Tested = "untested",
    failures: str = "partial support shows as nodes on the CPU: slow but right",
    grids: tuple[str, ...] = ("a", "float"),
    options: Mapping[str, str] = NOTHING,
    nodes: tuple[str, ...] = (),
) -> Delegate:
    return Delegate(
        name=f"onnxruntime-{name}",
        engine="onnxruntime",
        format="onnx",
        needs=Needs(("onnxruntime",), provider=provider, nodes=nodes, group="video" if nodes else None),
        tested=tested,
        failures=failures,
        placement="onnxruntime's record of which provider got which node (1.24 or newer)",
        grids=grids,
        device=provider,
        options=MappingProxyType(dict(options)),
    )


def _openvino(device: str, tested: Tested, failures: str, nodes: tuple[str, ...] = ()) -> Delegate:
    return Delegate(
        name=f"openvino-{device.lower()}",
        engine="openvino",
        format="onnx",
        needs=Needs(("openvino",), nodes=nodes, group="render" if nodes else None),
        tested=tested,
        failures=failures,
        placement="the device is named, never AUTO, so that nothing is moved elsewhere",
        device=device,
    )


_TENSORRT_OPTIONS = {
    "trt_int8_enable": "1",
    "trt_fp16_enable": "1",
    "trt_engine_cache_enable": "1",
    "trt_engine_cache_path": CACHE,
    "trt_timing_cache_enable": "1",
    "trt_timing_cache_path": CACHE,
}
_NVIDIA = ("dev/nvidia0", "dev/nvhost-gpu", "dev/nvgpu/igpu0/*")
_EDGETPU_FAILURES = (
    "library missing: OSError; no device, or its firmware still loading: ValueError; built for another "
    "TensorFlow: a crash or 'failed to prepare'; pulled out: the process aborts; stalled: a call that never "
    "returns"
)

CATALOGUE: tuple[Delegate, ...] = (
    _provider(
        "tensorrt",
        "TensorrtExecutionProvider",
        failures="a stale engine cache is rebuilt for minutes or refused; out of memory while building",
        grids=("b", "float"),
        options=_TENSORRT_OPTIONS,
        nodes=_NVIDIA,
    ),
    _provider("cuda", "CUDAExecutionProvider", grids=("float", "a"), nodes=_NVIDIA),
    Delegate(
        name="tflite-edgetpu",
        engine="tflite",
        format="tflite",
        needs=Needs(
            _TFLITE,
            library="libedgetpu.so.1",
            nodes=("dev/apex_*",),
            usb=("1a6e:089a", "18d1:9302"),
            group="plugdev",
        ),
        tested="stand-in",
        failures=_EDGETPU_FAILURES,
        placement="an artefact compiled for it holds edgetpu-custom-op, which nothing else runs",
        compiled_for="edgetpu",
        retry=True,
    ),
    Delegate(
        name="hailo",
        engine="hailo",
        format="hef",
        needs=Needs(("hailo_platform",), nodes=("dev/hailo*",)),
        tested="stand-in",
        failures="driver, library and firmware of different versions: HailoRTException with status 76",
        placement="a HEF runs on the chip or not at all",
        compiled_for="hailo",
    ),
    _provider(
        "qnn",
        "QNNExecutionProvider",
        options={"backend_path": "libQnnHtp.so", "htp_performance_mode": "burst"},
    ),
    _openvino(
        "NPU", "untested", "no driver, or an unsupported graph: an error on load", ("dev/accel/accel*",)
    ),
    _openvino("GPU", "untested", "no OpenCL driver: an error on load", ("dev/dri/renderD*",)),
    _provider("openvino", "OpenVINOExecutionProvider", options={"device_type": "CPU"}),
    _provider("acl", "ACLExecutionProvider"),
    _provider("xnnpack", "XnnpackExecutionProvider"),
    _provider("coreml", "CoreMLExecutionProvider"),
    _provider("directml", "DmlExecutionProvider"),
    Delegate(
        name="tflite-xnnpack",
        engine="tflite",
        format="tflite",
        needs=Needs(_TFLITE),
        tested="run here",
        failures="an operator it does not have stays with the built-in kernels: slow but right",
        placement=_CONVOLUTIONS,
    ),
    _openvino("CPU", "run here", "an operator it does not have: an error on load"),
    _provider("cpu", "CPUExecutionProvider", "run here", failures="none known: the last resort"),
)
"""All delegates, those of special hardware first; the CPU of ONNX Runtime, a base dependency, is last."""


ENGINES = tuple(dict.fromkeys(delegate.engine for delegate in CATALOGUE))
"""Names of the engines."""


def external_delegate(library: str, options: Mapping[str, str]) -> Delegate:
    """Return the entry of a TFLite delegate that an operator names by the path of its library."""
    return Delegate(
        name=EXTERNAL,
        engine="tflite",
        format="tflite",
        needs=Needs(_TFLITE, library=library),
        tested="stand-in",
        failures=_EDGETPU_FAILURES,
        placement=_CONVOLUTIONS,
        options=MappingProxyType(dict(options)),
        retry=True,
    )


def find_delegates(name: str, catalogue: tuple[Delegate, ...] = CATALOGUE) -> list[Delegate]:
    """Return the entries that a name means: one delegate, or all of an engine.

    Raises:
        EngineError: there is none of that name.
    """
    found = [delegate for delegate in catalogue if name in (delegate.name, delegate.engine)]
    if not found:
        known = ", ".join(delegate.name for delegate in catalogue)
        raise EngineError(f"no delegate or engine is called {name!r}; choose from {known}")
    return found
