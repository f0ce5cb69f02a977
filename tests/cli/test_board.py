"""``edgeagent board``, on the trees of boards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeagent.cli import main
from edgeagent.settings.file import load_settings
from tests.cli.command import mistake
from tests.sensors.tree import unpack

Capture = pytest.CaptureFixture[str]


def test_the_profile(tmp_path: Path, capsys: Capture) -> None:
    unpack("jetson-orin-nano", tmp_path)
    assert main(["board", "--root", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert text.startswith(
        "Jetson Orin Nano (profile jetson-orin-nano)\nsystem      JetPack 6, Python 3.10\n"
    )
    assert "onnxruntime-tensorrt" in text


def test_the_configuration_is_ready_to_save(tmp_path: Path, capsys: Capture) -> None:
    unpack("raspberry-pi-5", tmp_path)
    assert main(["board", "--config", "--root", str(tmp_path)]) == 0
    file = tmp_path / "edgeagent.yaml"
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    assert load_settings(file).cameras[0].source == "picamera2:"


def test_json(tmp_path: Path, capsys: Capture) -> None:
    unpack("hailo", tmp_path)
    assert main(["board", "--json", "--root", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["profile"]["name"] == "raspberry-pi-5"
    assert found["accelerators"][0]["name"] == "hailo"
    assert found["delegates"][0] == "hailo"
    assert found["configuration"].startswith("# edgeagent on Raspberry Pi 5.")


def test_a_machine_without_a_profile(tmp_path: Path, capsys: Capture) -> None:
    line = mistake(capsys, 1, "board", "--root", tmp_path)
    assert line.startswith(
        "this machine has no board profile, and needs none: `edgeagent board --config` prints"
    )


def test_a_configuration_for_a_machine_without_a_profile(tmp_path: Path, capsys: Capture) -> None:
    assert main(["board", "--config", "--root", str(tmp_path)]) == 0
    file = tmp_path / "edgeagent.yaml"
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    assert load_settings(file).cameras[0].source == "/dev/video0"
    assert main(["board", "--config", "--json", "--root", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["configuration"] == file.read_text(encoding="utf-8")


def test_other_boards(capsys: Capture) -> None:
    assert main(["board", "--list"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert main(["board", "--profile", names[0]]) == 0
    assert f"(profile {names[0]})" in capsys.readouterr().out
    assert "choose from" in mistake(capsys, 2, "board", "--profile", "toaster")
