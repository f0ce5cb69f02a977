"""``edgeagent publish preview`` and ``boards``, from what a device and ``publish add`` print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeagent.cli import main
from tests.cli.command import mistake
from tests.publisher.publisher_folder import PublisherFolder, bundle

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def publisher(tmp_path: Path) -> PublisherFolder:
    return PublisherFolder(tmp_path / "fleet")


def output(capsys: Capture, *arguments: object) -> str:
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def test_from_a_release_to_a_device(publisher: PublisherFolder, tmp_path: Path, capsys: Capture) -> None:
    here = ("--repository", publisher.folder)
    added = output(capsys, "publish", "add", bundle(tmp_path), "--board", "rpi5,rpi-5", "--unchecked", *here)
    assert "  for boards named rpi5 or rpi-5; all devices\n" in added
    assert "  warning: rpi-5: no known board has this name" in added
    state, configuration = tmp_path / "state", tmp_path / "edgeagent.yaml"
    configuration.write_text(
        f"device: laptop\nstate: {state}\ncameras: [{{name: door, source: '0'}}]\n"
        f"delivery: {{repository: {publisher.folder / 'repository'}, root: root.json, labels: [lab]}}\n",
        encoding="utf-8",
    )
    state.mkdir()
    facts = tmp_path / "laptop.json"
    facts.write_text(output(capsys, "status", "-c", configuration, "--json"), encoding="utf-8")
    device = json.loads(facts.read_text(encoding="utf-8"))["device"]
    assert (device["id"], device["labels"], device["channel"]) == ("laptop", ["lab"], "stable")
    preview = ("publish", "preview", "--device", facts, *here)
    assert "laptop takes nothing at " in output(capsys, *preview)
    output(capsys, "publish", "boards", "stable", "tiny", "1.2.3", "--board", "any", *here)
    found = json.loads(output(capsys, *preview, "--json"))
    assert (found["takes"], found["releases"]) == ("tiny 1.2.3", [["tiny 1.2.3", None]])


def test_mistakes(publisher: PublisherFolder, tmp_path: Path, capsys: Capture) -> None:
    publisher.add(bundle(tmp_path))
    facts, here = tmp_path / "gate.json", ("--repository", publisher.folder)
    assert "gate.json: cannot be read" in mistake(capsys, 7, "publish", "preview", "--device", facts, *here)
    facts.write_text('{"id": "gate"}', encoding="utf-8")
    preview = ("publish", "preview", "--device", facts, *here)
    line = mistake(capsys, 7, *preview, "--channel", "beta")
    assert "serves no channel beta; it has stable" in line
    assert "--at: expected such as" in mistake(capsys, 7, *preview, "--at", "noon")
    assert "gate takes tiny 1.2.3" in output(capsys, *preview, "--at", "2026-05-01T02:00Z")
