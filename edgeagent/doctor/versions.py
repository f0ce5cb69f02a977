"""Versions that must belong together, of packages and of what they drive.

Sources: libedgetpu is built for one TensorFlow (its Debian packages are named by it, 16.0tf2.17.0-1); ONNX
Runtime's documentation, TensorRT execution provider, requirements; HailoRT, whose driver and library must be
of one release.
"""

from __future__ import annotations

import importlib.metadata
import re

from edgeagent.doctor.finding import ExaminedSystem, Finding, read_file

TENSORRT_OF = {"1.22": "10.9", "1.21": "10.8", "1.20": "10.4", "1.19": "10.2", "1.18": "10.0", "1.17": "8.6"}
"""TensorRT that each ONNX Runtime was built with."""

_ONNXRUNTIME = ("onnxruntime-gpu", "onnxruntime", "onnxruntime-openvino", "onnxruntime-qnn")
_TENSORRT = ("tensorrt", "tensorrt-cu12", "tensorrt-cu13")
_EDGETPU = ("libedgetpu1-std", "libedgetpu1-max")


def check_packages(around: ExaminedSystem) -> list[Finding]:
    """Name the versions of the engines' packages."""
    engines = {
        "onnxruntime": _ONNXRUNTIME,
        "TFLite": ("ai-edge-litert", "tflite-runtime"),
        "OpenVINO": ("openvino",),
        "HailoRT": ("hailort",),
    }
    lines = []
    for engine, packages in engines.items():
        found = [f"{name} {version}" for name in packages if (version := _installed(name))]
        about = f"package {engine}"
        lines.append(Finding(about, "ok" if found else "not there", ", ".join(found) or "not installed"))
    several = [name for name in _ONNXRUNTIME if _installed(name)]
    if len(several) > 1:
        problem = f"{' and '.join(several)} are installed together and overwrite each other's files"
        lines.append(
            Finding("onnxruntime packages", "problem", problem, "uninstall all but the one of this board")
        )
    return lines


def check_edgetpu_pairing(around: ExaminedSystem) -> list[Finding]:
    """Compare the TensorFlow that libedgetpu was built for with the TFLite package."""
    packages = _debian_packages(around)
    library = next((packages[name] for name in _EDGETPU if name in packages), None)
    if library is None:
        return []
    match = re.search(r"tf(\d+\.\d+)", library)
    built_for = match.group(1) if match else None
    runtime = _installed("tflite-runtime")
    found = f"libedgetpu {library}, " + (
        f"tflite-runtime {runtime}" if runtime else f"ai-edge-litert {_installed('ai-edge-litert')}"
    )
    if runtime and built_for and not _installed("ai-edge-litert"):
        if runtime.startswith(f"{built_for}."):
            return [Finding("Edge TPU pairing", "ok", found)]
        action = f"install tflite-runtime {built_for}.x, or the libedgetpu built for {runtime}"
        return [Finding("Edge TPU pairing", "problem", found, action)]
    action = "not known to belong together: see whether edgeagent run serves on tflite-edgetpu"
    return [Finding("Edge TPU pairing", "warning", found, action)]


def check_tensorrt_pairing(around: ExaminedSystem) -> list[Finding]:
    """Compare ONNX Runtime with the TensorRT that is installed."""
    tensorrt = next((version for name in _TENSORRT if (version := _installed(name))), None)
    if tensorrt is None:
        packages = _debian_packages(around)
        name = next((name for name in sorted(packages) if re.fullmatch(r"libnvinfer\d+", name)), None)
        tensorrt = packages[name] if name else None
    if tensorrt is None:
        return []
    runtime = next((version for name in _ONNXRUNTIME if (version := _installed(name))), None)
    found = f"TensorRT {tensorrt}, onnxruntime {runtime}"
    wanted = TENSORRT_OF.get(".".join((runtime or "").split(".")[:2]))
    if wanted is None:
        return [
            Finding(
                "TensorRT pairing", "warning", found, "no table entry: see whether onnxruntime-tensorrt loads"
            )
        ]
    if tensorrt.split(".")[:2] == wanted.split("."):
        return [Finding("TensorRT pairing", "ok", found)]
    same_major = tensorrt.split(".")[0] == wanted.split(".")[0]
    action = f"this onnxruntime was built with TensorRT {wanted}; install the pair"
    return [Finding("TensorRT pairing", "warning" if same_major else "problem", found, action)]


def check_hailo_pairing(around: ExaminedSystem) -> list[Finding]:
    """Compare the Hailo driver with HailoRT's package."""
    driver = read_file(around.root / "sys/module/hailo_pci/version")
    if driver is None:
        return []
    package = _installed("hailort")
    found = f"driver {driver}, package hailort {package or 'not installed'}"
    if package == driver:
        return [Finding("Hailo pairing", "ok", found)]
    action = "install driver, HailoRT and firmware of one release (else status 76)"
    return [Finding("Hailo pairing", "problem" if package else "warning", found, action)]


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _debian_packages(around: ExaminedSystem) -> dict[str, str]:
    """Return version by name of what dpkg has installed (var/lib/dpkg/status, deb822 paragraphs)."""
    found = {}
    for paragraph in (read_file(around.root / "var/lib/dpkg/status") or "").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if re.match(r"[A-Z]\S*: ", line))
        if fields.get("Status", "").endswith(" installed"):
            found[fields.get("Package", "")] = fields.get("Version", "")
    return found
