from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edgeagent.cli import main
from edgeagent.detection.journal import JOURNAL, Journal
from edgeagent.doctor.examination import examine
from edgeagent.doctor.finding import ExaminedSystem, Finding
from edgeagent.doctor.listing import ORDER
from edgeagent.errors import ConfigurationError
from edgeagent.settings import installed
from tests.cli.command import edgeagent
from tests.sensors.tree import unpack

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return the tree of a board without problems."""
    root = unpack("coral-pcie", tmp_path / "tree")
    (root / "dev/shm").mkdir()
    return root


def test_nothing_is_wrong(tree: Path, capsys: Capture) -> None:
    assert main(["doctor", "--root", str(tree)]) == 0
    output = capsys.readouterr().out
    assert re.search(r"\nno problems(, \d+ warnings?)?\n$", output)
    assert "NUC8i3BEH" in output


def test_as_json(tree: Path, capsys: Capture) -> None:
    assert main(["doctor", "--json", "--root", str(tree)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["problems"] == 0
    finding = next(finding for finding in report["lines"] if finding["about"] == "apex_0")
    assert finding == {"about": "apex_0", "verdict": "ok", "found": "ALIVE, 48.3 degrees", "action": ""}


def test_a_problem_is_exit_code_1(tree: Path, capsys: Capture) -> None:
    (tree / "sys/class/apex/apex_0/status").write_text("LAMED\n", encoding="ascii")
    assert main(["doctor", "--json", "--root", str(tree)]) == 1
    assert json.loads(capsys.readouterr().out)["problems"] == 1


def test_a_configuration_with_a_mistake_is_one_of_the_lines(tree: Path, capsys: Capture) -> None:
    config = tree / "edgeagent.yaml"
    config.write_text("cameras: []\n", encoding="ascii")
    assert main(["doctor", "--json", "-c", str(config), "--root", str(tree)]) == 1
    finding = json.loads(capsys.readouterr().out)["lines"][0]
    assert (finding["about"], finding["verdict"]) == ("configuration", "problem")
    assert f"{config}:1: cameras: " in finding["found"]


def test_without_the_packages_of_extras(tree: Path) -> None:
    extras = "rich,torch,onnx,openvino,ai_edge_litert,tflite_runtime"
    code, output, errors = edgeagent("doctor", "--root", tree, without=extras)
    assert (code, errors) == (0, "")
    assert "not there  delegate tflite-xnnpack   the package ai_edge_litert or" in output
    assert re.search(r"\nno problems(, \d+ warnings?)?\n$", output)


def test_what_matters_comes_first(tree: Path, capsys: Capture) -> None:
    (tree / "sys/class/apex/apex_0/status").write_text("LAMED\n", encoding="ascii")
    assert main(["doctor", "--root", str(tree)]) == 1
    output = capsys.readouterr().out
    assert output.startswith("problem    apex_0 ")
    verdicts = [line[:11].strip() for line in output.splitlines()[:-2] if not line.startswith(" ")]
    assert verdicts == sorted(verdicts, key=ORDER.index)
    assert max(map(len, output.splitlines())) <= 80


def test_delegates_of_other_boards_are_left_out(tree: Path, capsys: Capture) -> None:
    assert main(["doctor", "--root", str(tree)]) == 0
    short = capsys.readouterr().out
    assert main(["doctor", "--all", "--root", str(tree)]) == 0
    whole = capsys.readouterr().out
    assert "onnxruntime-coreml" in whole
    assert "onnxruntime-coreml" not in short
    left_out = next(line for line in short.splitlines() if "left out" in line)
    assert (
        left_out
        == f"{left_out.split()[0]} delegates that this board cannot run are left out; --all lists them"
    )
    count = int(left_out.split()[0])
    assert whole.count("  delegate ") - short.count("  delegate ") == count
    assert main(["doctor", "--json", "--root", str(tree)]) == 0
    lines = json.loads(capsys.readouterr().out)["lines"]
    assert any(line["about"] == "delegate onnxruntime-coreml" for line in lines)


def test_the_installed_service_is_examined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    config, state = tmp_path / "edgeagent.yaml", tmp_path / "state"
    state.mkdir()
    config.write_text(f"cameras:\n- name: door\n  source: {tmp_path}\n", encoding="utf-8")
    monkeypatch.setattr(installed, "INSTALLED", config)
    monkeypatch.setattr(installed, "SERVICE_STATE", state)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    Journal(state / JOURNAL, boot="the boot before").write("start", "tflite-edgetpu m.tflite 0123")
    assert main(["doctor", "--json"]) == 1
    found = {line["about"]: line for line in json.loads(capsys.readouterr().out)["lines"]}
    assert found["configuration"]["found"] == str(config)
    assert found["state folder"]["found"] == f"{state} can be written"
    assert found["trial tflite-edgetpu m.tflite 0123"]["verdict"] == "problem"


def test_a_check_that_fails_is_a_line(tmp_path: Path) -> None:
    def check_left(system: ExaminedSystem) -> list[Finding]:
        raise ZeroDivisionError("by zero")

    def check_middle(system: ExaminedSystem) -> list[Finding]:
        raise ConfigurationError("the password cannot be read")

    def check_right(system: ExaminedSystem) -> list[Finding]:
        return [Finding("right", "ok", "all is well")]

    left, middle, right = examine(ExaminedSystem(tmp_path), (check_left, check_middle, check_right))
    assert left == Finding(
        "left",
        "problem",
        "the check failed: ZeroDivisionError: by zero",
        "report this as a bug in edgeagent",
    )
    assert middle == Finding("middle", "problem", "the password cannot be read")
    assert right.verdict == "ok"


def test_a_trial_that_took_the_machine_down_is_reported_and_can_be_forgiven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    Journal(tmp_path / JOURNAL, boot="the boot before").write("start", "tflite-edgetpu m.tflite 0123")
    main(["doctor", "--json"])
    findings = {finding["about"]: finding for finding in json.loads(capsys.readouterr().out)["lines"]}
    found = findings["trial tflite-edgetpu m.tflite 0123"]
    assert (found["verdict"], found["action"]) == ("problem", "edgeagent doctor --forgive")
    assert main(["doctor", "--forgive"]) == 0
    assert "will be tried again" in capsys.readouterr().out
    assert main(["doctor", "--forgive"]) == 0
    assert "nothing to forgive" in capsys.readouterr().out
    assert not Journal(tmp_path / JOURNAL, boot="this boot").suspects()
