"""Checks of version compatibility between Python packages, libraries and drivers.

Sources: libedgetpu is built for one TensorFlow version, which its Debian package version contains
(16.0tf2.17.0-1); ONNX Runtime documentation, TensorRT execution provider, requirements; HailoRT requires
driver and library of the same release.
"""

from __future__ import annotations

import importlib.metadata
import re

from edgeagent.doctor.finding import ExaminedSystem, Finding, read_file

TENSORRT_OF = {"1.22": "10.9", "1.21": "10.8", "1.20": "10.4", "1.19": "10.2", "1.18": "10.0", "1.17": "8.6"}
"""TensorRT version of each ONNX Runtime build."""

_ONNXRUNTIME = ("onnxruntime-gpu", "onnxruntime", "onnxruntime-openvino", "onnxruntime-qnn")
_TENSORRT = ("tensorrt", "tensorrt-cu12", "tensorrt-cu13")
_EDGETPU = ("libedgetpu1-std", "libedgetpu1-max")


def check_packages(system: ExaminedSystem) -> list[Finding]:
    """Report the versions of the engine packages."""
    engines = {
        "onnxruntime": _ONNXRUNTIME,
        "TFLite": ("ai-edge-litert", "tflite-runtime"),
        "OpenVINO": ("openvino",),
        "HailoRT": ("hailort",),
        "RKNN": ("rknn-toolkit-lite2",),
    }
    findings = []
    for engine, packages in engines.items():
        found = [f"{name} {version}" for name in packages if (version := _installed(name))]
        about = f"package {engine}"
        findings.append(Finding(about, "ok" if found else "not there", ", ".join(found) or "not installed"))
    several = [name for name in _ONNXRUNTIME if _installed(name)]
    if len(several) > 1:
        problem = f"{' and '.join(several)} are installed together and overwrite each other's files"
        findings.append(
            Finding("onnxruntime packages", "problem", problem, "uninstall all except the one for this board")
        )
    return findings


def check_edgetpu_pairing(system: ExaminedSystem) -> list[Finding]:
    """Compare the TensorFlow version of libedgetpu with the TFLite package."""
    packages = _debian_packages(system)
    library = next((packages[name] for name in _EDGETPU if name in packages), None)
    if library is None:
        return []
    match = re.search(r"tf(\d+\.\d+)", library)
    built_for = match.group(1) if match else None
    runtime = _installed("tflite-runtime")
    found = f"libedgetpu {library}, " + (
        f"tflite-runtime {runtime}" if runtime else f"ai-edge-litert {_installed('ai-edge-litert')}"
    )
    if runtime and built_for:  # a delegate's library runs in tflite-runtime, whatever else is installed
        if runtime.startswith(f"{built_for}."):
            return [Finding("Edge TPU pairing", "ok", found)]
        action = f"install tflite-runtime {built_for}.x, or the libedgetpu built for {runtime}"
        return [Finding("Edge TPU pairing", "problem", found, action)]
    action = "compatibility unknown: check that edgeagent run serves on tflite-edgetpu"
    return [Finding("Edge TPU pairing", "warning", found, action)]


def check_tensorrt_pairing(system: ExaminedSystem) -> list[Finding]:
    """Compare the TensorRT version of ONNX Runtime with the installed one."""
    tensorrt = next((version for name in _TENSORRT if (version := _installed(name))), None)
    if tensorrt is None:
        packages = _debian_packages(system)
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
                "TensorRT pairing",
                "warning",
                found,
                "compatibility unknown: check that onnxruntime-tensorrt loads",
            )
        ]
    if tensorrt.split(".")[:2] == wanted.split("."):
        return [Finding("TensorRT pairing", "ok", found)]
    same_major = tensorrt.split(".")[0] == wanted.split(".")[0]
    action = f"this onnxruntime was built with TensorRT {wanted}; install matching versions"
    return [Finding("TensorRT pairing", "warning" if same_major else "problem", found, action)]


def check_hailo_pairing(system: ExaminedSystem) -> list[Finding]:
    """Compare the version of the Hailo driver with that of the HailoRT package."""
    driver = read_file(system.root / "sys/module/hailo_pci/version")
    if driver is None:
        return []
    package = _installed("hailort")
    found = f"driver {driver}, package hailort {package or 'not installed'}"
    if package == driver:
        return [Finding("Hailo pairing", "ok", found)]
    action = "install driver, HailoRT and firmware of the same release (otherwise status 76)"
    return [Finding("Hailo pairing", "problem" if package else "warning", found, action)]


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _debian_packages(system: ExaminedSystem) -> dict[str, str]:
    """Return the versions of installed Debian packages by name (var/lib/dpkg/status, format deb822(5))."""
    found = {}
    for paragraph in (read_file(system.root / "var/lib/dpkg/status") or "").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if re.match(r"[A-Z]\S*: ", line))
        if fields.get("Status", "").endswith(" installed"):
            found[fields.get("Package", "")] = fields.get("Version", "")
    return found
