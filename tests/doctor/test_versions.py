"""Version compatibility: a dpkg status file in a tree, and dist-info folders on the path of this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.doctor.finding import ExaminedSystem, Finding
from edgeagent.doctor.versions import (
    check_edgetpu_pairing,
    check_hailo_pairing,
    check_packages,
    check_tensorrt_pairing,
)
from tests.doctor.trees import findings_of

DPKG = """\
Package: libedgetpu1-std
Status: install ok installed
Version: 16.0tf2.17.0-1
Description: Edge TPU runtime
 of several findings

Package: libnvinfer10
Status: install ok installed
Version: 10.3.0.30-1+cuda12.5

Package: libnvinfer8
Status: deinstall ok config-files
Version: 8.6.2.3
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def install(site: Path, name: str, version: str) -> None:
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (folder / "METADATA").write_text(text, encoding="ascii")


def debian(tmp_path: Path) -> ExaminedSystem:
    status = tmp_path / "tree/var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(DPKG, encoding="ascii")
    return ExaminedSystem(tmp_path / "tree")


def one(findings: list[Finding]) -> tuple[str, str]:
    (finding,) = findings
    assert (finding.action == "") == (finding.verdict == "ok")
    return finding.verdict, finding.found


def test_packages(tmp_path: Path, site: Path) -> None:
    about = {finding.about: finding.verdict for finding in check_packages(ExaminedSystem(tmp_path))}
    assert about == {
        "package onnxruntime": "ok",
        "package TFLite": "ok",
        "package OpenVINO": "ok",
        "package HailoRT": "not there",
        "package RKNN": "not there",
    }
    install(site, "onnxruntime-gpu", "1.23.0")
    finding = check_packages(ExaminedSystem(tmp_path))[-1]
    assert (finding.about, finding.verdict) == ("onnxruntime packages", "problem")


def test_nothing_to_pair(tmp_path: Path) -> None:
    for check in (check_edgetpu_pairing, check_tensorrt_pairing, check_hailo_pairing):
        assert check(ExaminedSystem(tmp_path)) == []


def test_an_edge_tpu_beside_the_newer_package(tmp_path: Path) -> None:
    verdict, found = one(check_edgetpu_pairing(debian(tmp_path)))
    assert verdict == "warning"
    assert found.startswith("libedgetpu 16.0tf2.17.0-1, ai-edge-litert ")


@pytest.mark.parametrize(("runtime", "verdict"), [("2.17.1", "ok"), ("2.14.0", "problem")])
def test_an_edge_tpu_runs_in_the_older_package(
    tmp_path: Path, site: Path, runtime: str, verdict: str
) -> None:
    install(site, "tflite-runtime", runtime)
    found = f"libedgetpu 16.0tf2.17.0-1, tflite-runtime {runtime}"
    assert one(check_edgetpu_pairing(debian(tmp_path))) == (verdict, found)


@pytest.mark.parametrize(
    ("onnxruntime", "verdict"), [("1.22.1", "warning"), ("1.17.0", "problem"), ("9.1.0", "warning")]
)
def test_tensorrt_of_the_system(tmp_path: Path, site: Path, onnxruntime: str, verdict: str) -> None:
    install(site, "onnxruntime-gpu", onnxruntime)
    found = f"TensorRT 10.3.0.30-1+cuda12.5, onnxruntime {onnxruntime}"
    assert one(check_tensorrt_pairing(debian(tmp_path))) == (verdict, found)


def test_tensorrt_of_a_package(tmp_path: Path, site: Path) -> None:
    install(site, "onnxruntime-gpu", "1.22.1")
    install(site, "tensorrt", "10.9.0.34")
    found = "TensorRT 10.9.0.34, onnxruntime 1.22.1"
    assert one(check_tensorrt_pairing(debian(tmp_path))) == ("ok", found)


def test_hailo(tmp_path: Path, site: Path) -> None:
    assert one(findings_of(check_hailo_pairing, "hailo", tmp_path / "tree")) == (
        "warning",
        "driver 4.20.0, package hailort not installed",
    )
    install(site, "hailort", "4.19.0")
    system = ExaminedSystem(tmp_path / "tree")
    assert one(check_hailo_pairing(system))[0] == "problem"
    (tmp_path / "tree/sys/module/hailo_pci/version").write_text("4.19.0\n", encoding="ascii")
    assert one(check_hailo_pairing(system)) == ("ok", "driver 4.19.0, package hailort 4.19.0")
