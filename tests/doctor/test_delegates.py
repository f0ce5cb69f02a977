from __future__ import annotations

from pathlib import Path

from edgeagent.doctor.delegates import check_choice, check_delegates
from edgeagent.doctor.finding import ExaminedSystem
from edgeagent.engines.delegates import CATALOGUE
from tests.doctor.trees import configured, look


def test_each_of_the_catalogue_has_its_line(tmp_path: Path) -> None:
    lines = look(check_delegates, "raspberry-pi-5", tmp_path)
    assert [line.about for line in lines] == [f"delegate {one.name}" for one in CATALOGUE]
    there = [line.about for line in lines if line.verdict == "ok"]
    assert there == ["delegate tflite-xnnpack", "delegate openvino-cpu", "delegate onnxruntime-cpu"]
    assert all(line.found for line in lines)


def test_a_configured_library(tmp_path: Path) -> None:
    path = tmp_path / "libnpu.so"
    settings = configured(model={"library": {"path": str(path)}})
    line = check_delegates(ExaminedSystem(tmp_path, settings))[0]
    assert (line.about, line.verdict) == ("delegate tflite-external", "problem")
    assert line.found == f"the library {path} is not installed"
    path.touch()
    assert check_delegates(ExaminedSystem(tmp_path, settings))[0].verdict == "ok"


def test_the_configured_engine(tmp_path: Path) -> None:
    def about(engine: str) -> list[tuple[str, str]]:
        around = ExaminedSystem(tmp_path, configured(model={"engine": engine}))
        return [(line.verdict, line.found) for line in check_choice(around)]

    assert about("auto") == []
    assert about("tflite-edgetpu,auto") == []
    assert about("tflite-edgetpu, tflite-xnnpack") == [
        ("ok", "tflite-xnnpack of tflite-edgetpu, tflite-xnnpack")
    ]
    assert about("hailo") == [("problem", "hailo: the package hailo_platform is not installed")]
    assert check_choice(ExaminedSystem(tmp_path)) == []
