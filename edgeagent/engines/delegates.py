"""Catalogue of delegates, as data.

A delegate is what executes the graph for an engine: an execution provider of ONNX Runtime, a device of
OpenVINO, a TFLite delegate, a chip with its own compiler. Each entry states what it reads, what it needs, how
it is loaded, how it fails, and how real placement is distinguished from a silent fallback to the CPU.
:mod:`edgeagent.engines.availability` checks the needs; only a trial (:mod:`edgeagent.detection.trials`) shows
whether it is right and fast.

Sources: the documentation of the delegates; failure modes as reported by users of comparable agents
(docs/adr/0016).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from edgeagent.errors import NoCandidateError

Tested = Literal["run here", "stand-in", "untested"]
"""``run here``: tests run the real delegate; ``stand-in``: tests run a stand-in of its interface."""

EXTERNAL = "tflite-external"
"""Name of a TFLite delegate that the configuration gives by its path."""

CACHE = "{cache}"
"""Marker in an option, replaced by a cache folder; see :mod:`edgeagent.engines.cache`."""

PROCESSOR_DEVICES = ("CPUExecutionProvider", "CPU")
"""Execution provider of ONNX Runtime and device of OpenVINO that are the processor."""

SPINNING = "session.intra_op.allow_spinning"
"""Option of ONNX Runtime's session: waiting threads keep processors busy ("1" is its own default)."""

NOTHING: Mapping[str, str] = MappingProxyType({})

Grids = tuple[tuple[str, ...], ...]
"""Groups of grids; see :attr:`Delegate.grids`."""


@dataclass(frozen=True)
class Needs:
    """Needs of a delegate. Each one that is given must be met; of alternatives, one.

    Attributes:
        packages: importable modules, one of them.
        provider: that onnxruntime was built with.
        library: shared library that can be loaded.
        nodes: device nodes as glob patterns below the root, one of them.
        usb: vendor:product of USB devices, one of them; counts as an alternative to ``nodes``.
        machines: of :func:`platform.machine`; empty for all.
        flags: of the processor in ``/proc/cpuinfo``, one of them.
        group: whose members may use the device node.
    """

    packages: tuple[str, ...]
    provider: str | None = None
    library: str | None = None
    nodes: tuple[str, ...] = ()
    usb: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    group: str | None = None

    @property
    def hardware(self) -> bool:
        """Whether it uses more than the processor: a device, or a library of its own."""
        return bool(self.nodes or self.usb or self.library)


@dataclass(frozen=True)
class Delegate:
    """Entry of the catalogue.

    Attributes:
        name: unique, as in the configuration.
        engine: key of :data:`edgeagent.engines.loading.ENGINES`.
        format: of the artefacts it reads.
        grids: of the artefacts it can use, in groups, the better group first. Of the first group that a
            bundle has, every artefact is a candidate: only a measurement shows which is the fastest.
        needs: what must be on the board.
        tested: how this project tests it.
        compiled_for: what an artefact must be compiled for; None takes artefacts that are not compiled.
        device: execution provider or OpenVINO device; None for the other engines.
        options: passed to the provider or the delegate library.
        retry: whether a failure to load may pass by itself, as with a USB stick that re-enumerates.
        compiles: whether loading compiles the graph, which takes seconds to minutes.
        failures: how it fails, as text for the documentation.
        placement: how real placement is distinguished from a fallback, as text for the documentation.
    """

    name: str
    engine: str
    format: str
    needs: Needs
    tested: Tested
    failures: str
    placement: str
    grids: Grids = (("a",), ("float",))
    compiled_for: str | None = None
    device: str | None = None
    options: Mapping[str, str] = field(default_factory=lambda: NOTHING, hash=False)
    retry: bool = False
    compiles: bool = False

    @property
    def library(self) -> str | None:
        """The shared library that it needs, None without one: of a TFLite delegate, the delegate itself."""
        return self.needs.library

    @property
    def on_processor(self) -> bool:
        """Whether the processor alone runs it, so that several calls may run at once."""
        return self.device in PROCESSOR_DEVICES or (self.engine == "tflite" and self.library is None)


PRECISION = "INFERENCE_PRECISION_HINT"
"""Property of OpenVINO: type of what is not quantized. ``f32`` unless an entry's options say otherwise."""

_OPENVINO_GRIDS: Grids = (("c", "a"), ("float",))
"""OpenVINO runs both in integers, and fuses what is float on grid ``c`` into the convolutions."""
_TFLITE = ("ai_edge_litert", "tflite_runtime")
_CONVOLUTIONS = "share of the operators with weights that the delegate took"


def _provider(
    name: str,
    provider: str,
    tested: Tested = "untested",
    failures: str = "partial support shows as nodes on the CPU: slow but right",
    grids: Grids = (("a",), ("float",)),
    options: Mapping[str, str] = NOTHING,
    nodes: tuple[str, ...] = (),
    compiles: bool = False,
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
        compiles=compiles,
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
        grids=_OPENVINO_GRIDS,
        device=device,
        compiles=True,
    )


def _openvino_short(precision: str, flags: tuple[str, ...]) -> Delegate:
    return Delegate(
        name=f"openvino-cpu-{precision}",
        engine="openvino",
        format="onnx",
        needs=Needs(("openvino",), flags=flags),
        tested="untested",
        failures="a precision that OpenVINO does not use on this processor: an error on load",
        placement="OpenVINO's own answer about the precision it computes in",
        grids=(("c", "a", "float"),),
        device="CPU",
        options=MappingProxyType({PRECISION: precision}),
        compiles=True,
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

QNN_VERSIONS = (68, 73, 75, 79)
"""Versions of Hexagon's tensor processor that contexts are compiled for (``htp_arch`` of ONNX Runtime)."""
_QNN = "QNNExecutionProvider"
_QNN_OPTIONS = {"backend_path": "libQnnHtp.so", "htp_performance_mode": "burst"}
_HEXAGON = ("dev/fastrpc-cdsp*", "dev/adsprpc-smd")

RKNN_CHIPS = ("rk3562", "rk3566", "rk3568", "rk3576", "rk3588")
"""Rockchip's chips that files are compiled for (``target_platform`` of rknn-toolkit2)."""
_RKNPU = ("dev/rknpu", "dev/dri/by-path/platform-*.npu-render")

CATALOGUE: tuple[Delegate, ...] = (
    _provider(
        "tensorrt",
        "TensorrtExecutionProvider",
        failures="a stale engine cache is rebuilt for minutes or refused; out of memory while building",
        grids=(("b",), ("float",)),
        options=_TENSORRT_OPTIONS,
        nodes=_NVIDIA,
        compiles=True,
    ),
    _provider("cuda", "CUDAExecutionProvider", grids=(("float",), ("a",)), nodes=_NVIDIA),
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
        name="tflite-ethosu",
        engine="tflite",
        format="tflite",
        needs=Needs(_TFLITE, library="libethosu_delegate.so", nodes=("dev/ethosu*",)),
        tested="untested",
        failures="a file compiled for another configuration or driver: an error on load",
        placement="an artefact compiled for it holds the operator ethos-u, which nothing else runs",
        compiled_for="ethos-u65-256",
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
    *(
        replace(
            _provider(
                f"qnn-v{version}",
                _QNN,
                failures="a file compiled for another version of the chip or of QNN: an error on load",
                options=_QNN_OPTIONS,
                nodes=_HEXAGON,
            ),
            compiled_for=f"qnn-v{version}",
        )
        for version in QNN_VERSIONS
    ),
    _provider("qnn", _QNN, options=_QNN_OPTIONS, nodes=_HEXAGON, compiles=True),
    *(
        Delegate(
            name=f"rknn-{chip}",
            engine="rknn",
            format="rknn",
            needs=Needs(("rknnlite",), library="librknnrt.so", nodes=_RKNPU, group="render"),
            tested="stand-in",
            failures="a file for another chip, or one newer than librknnrt.so: an error on load",
            placement="only the NPU runs such a file; what its compiler left is in evidence/compilation.json",
            compiled_for=f"rknn-{chip}",
        )
        for chip in RKNN_CHIPS
    ),
    _openvino(
        "NPU", "untested", "no driver, or an unsupported graph: an error on load", ("dev/accel/accel*",)
    ),
    _openvino("GPU", "untested", "no OpenCL driver: an error on load", ("dev/dri/renderD*",)),
    _provider(
        "openvino",
        "OpenVINOExecutionProvider",
        grids=_OPENVINO_GRIDS,
        options={"device_type": "CPU"},
        compiles=True,
    ),
    _provider("acl", "ACLExecutionProvider"),
    _provider("xnnpack", "XnnpackExecutionProvider"),
    _provider("coreml", "CoreMLExecutionProvider", compiles=True),
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
    _openvino_short("bf16", ("avx512_bf16", "amx_bf16")),
    _openvino_short("f16", ("avx512_fp16", "asimdhp")),
    _openvino("CPU", "run here", "an operator it does not have: an error on load"),
    _provider("cpu", "CPUExecutionProvider", "run here", failures="none known: the last resort"),
)
"""All delegates: those of special hardware first, the CPU of ONNX Runtime (a base dependency) last."""


ENGINES = tuple(dict.fromkeys(delegate.engine for delegate in CATALOGUE))
"""Names of the engines."""


def external_delegate(library: str, options: Mapping[str, str]) -> Delegate:
    """Return the entry of a TFLite delegate that the configuration gives by the path of its library."""
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


def with_spinning(catalogue: tuple[Delegate, ...]) -> tuple[Delegate, ...]:
    """Return the catalogue with spinning threads on the CPU of ONNX Runtime, which alone has them."""
    return tuple(
        replace(delegate, options=MappingProxyType({**delegate.options, SPINNING: "1"}))
        if delegate.engine == "onnxruntime" and delegate.device in PROCESSOR_DEVICES
        else delegate
        for delegate in catalogue
    )


def find_delegates(name: str, catalogue: tuple[Delegate, ...] = CATALOGUE) -> list[Delegate]:
    """Return the entries of a name: one delegate, or all delegates of an engine.

    Raises:
        NoCandidateError: there is none of that name.
    """
    found = [delegate for delegate in catalogue if name in (delegate.name, delegate.engine)]
    if not found:
        known = ", ".join(delegate.name for delegate in catalogue)
        raise NoCandidateError(f"no delegate or engine is called {name!r}; choose from {known}")
    return found
