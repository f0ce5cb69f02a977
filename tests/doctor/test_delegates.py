from __future__ import annotations

from pathlib import Path

from edgeagent.doctor.delegates import check_choice, check_delegates, impossible_delegates
from edgeagent.doctor.finding import ExaminedSystem
from edgeagent.engines.delegates import CATALOGUE
from tests.doctor.trees import configured, findings_of
from tests.sensors.tree import unpack


def test_each_of_the_catalogue_has_its_line(tmp_path: Path) -> None:
    findings = findings_of(check_delegates, "raspberry-pi-5", tmp_path)
    assert [finding.about for finding in findings] == [f"delegate {one.name}" for one in CATALOGUE]
    there = [finding.about for finding in findings if finding.verdict == "ok"]
    assert there == ["delegate tflite-xnnpack", "delegate openvino-cpu", "delegate onnxruntime-cpu"]
    assert all(finding.found for finding in findings)


def test_a_configured_library(tmp_path: Path) -> None:
    path = tmp_path / "libnpu.so"
    settings = configured(model={"library": {"path": str(path)}})
    finding = check_delegates(ExaminedSystem(tmp_path, settings))[0]
    assert (finding.about, finding.verdict) == ("delegate tflite-external", "problem")
    assert finding.found == f"the library {path} is not installed"
    path.touch()
    assert check_delegates(ExaminedSystem(tmp_path, settings))[0].verdict == "ok"


def test_the_configured_engine(tmp_path: Path) -> None:
    def found(engine: str) -> list[tuple[str, str]]:
        system = ExaminedSystem(tmp_path, configured(model={"engine": engine}))
        return [(finding.verdict, finding.found) for finding in check_choice(system)]

    assert found("auto") == []
    assert found("tflite-edgetpu,auto") == []
    assert found("tflite-edgetpu, tflite-xnnpack") == [
        ("ok", "tflite-xnnpack of tflite-edgetpu, tflite-xnnpack")
    ]
    assert found("hailo") == [("problem", "hailo: the package hailo_platform is not installed")]
    assert check_choice(ExaminedSystem(tmp_path)) == []


def test_a_device_that_lacks_its_library_is_a_warning(tmp_path: Path) -> None:
    findings = {finding.about: finding for finding in findings_of(check_delegates, "coral-usb", tmp_path)}
    finding = findings["delegate tflite-edgetpu"]
    assert finding.verdict == "warning"
    assert finding.found == "its device is there, but the library libedgetpu.so.1 is not installed"
    assert finding.action


def test_what_a_board_cannot_run(tmp_path: Path) -> None:
    unpack("coral-usb", tmp_path)
    impossible = impossible_delegates(ExaminedSystem(tmp_path))
    assert {f"delegate onnxruntime-{name}" for name in ("coreml", "directml", "tensorrt")} <= impossible
    assert "delegate hailo" in impossible
    assert not impossible & {
        f"delegate {name}" for name in ("tflite-edgetpu", "tflite-xnnpack", "openvino-cpu")
    }
