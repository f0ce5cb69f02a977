"""``edgeagent run --check`` names what would run, or the mistake with its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeagent.cli import main
from tests.cli.command import mistake

Capture = pytest.CaptureFixture[str]
HOOK = (
    "actions: {{rules: [{{name: office, when: {{events: [object.end]}}, "
    "webhook: {{url: 'https://a.example/', {}}}}}]}}"
)


def configuration(
    folder: Path, more: str = "", source: str = "rtsp://viewer:secret@10.0.0.7/stream1"
) -> Path:
    file = folder / "edgeagent.yaml"
    text = f"device: gate\nstate: {folder / 'state'}\ncameras:\n- name: door\n  source: {source}\n{more}"
    file.write_text(text, encoding="utf-8")
    return file


def test_what_would_run(tmp_path: Path, capsys: Capture) -> None:
    file = configuration(tmp_path, "mqtt: {host: broker.lan}\nmodel: {engine: 'onnxruntime-cpu'}\n")
    assert main(["run", "-c", str(file), "--check"]) == 0
    text = capsys.readouterr().out
    assert f"config      {file}\n" in text
    assert "camera      door: rtsp://" in text
    assert "secret" not in text
    assert "bundle      coco-small " in text
    assert "delegates   onnxruntime-cpu\n" in text
    assert "broker      broker.lan:1883\n" in text
    assert text.endswith("nothing was started\n")
    assert not (tmp_path / "state").exists()


def test_a_repository_without_tls_is_told(tmp_path: Path, capsys: Capture) -> None:
    delivery = "delivery: {{repository: '{}://models.lan', root: root.json}}\n"
    assert main(["run", "-c", str(configuration(tmp_path, delivery.format("http"))), "--check"]) == 0
    assert "repository  http://models.lan is read without TLS" in capsys.readouterr().out
    assert main(["run", "-c", str(configuration(tmp_path, delivery.format("https"))), "--check"]) == 0
    assert "repository  https://models.lan\n" in capsys.readouterr().out


def test_json(tmp_path: Path, capsys: Capture) -> None:
    assert main(["run", "-c", str(configuration(tmp_path)), "--check", "--json"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert (found["device"], found["delegates"], found["broker"]) == ("gate", None, None)
    assert found["cameras"][0]["name"] == "door"
    assert "nothing was started" in printed.err
    assert "secret" not in printed.out + printed.err


@pytest.mark.parametrize(
    ("code", "more", "source", "text"),
    [
        (2, "mqtt: {port: '1'}", "0", "mqtt.port: expected a whole number"),
        (2, "mqtt: {host: a, username: u, password_file: none}", "0", "the broker's password cannot be read"),
        (2, "mqtt: {host: a, tls: {ca: none}}", "0", "mqtt.tls.ca"),
        (2, HOOK.format("secret_file: none"), "0", "the secret of webhook office cannot be read"),
        (2, HOOK.format("ca: none"), "0", "rule office: ca"),
        (2, "clips: {}", "0", "a device gives its pictures to one reader"),
        (2, "", "ftp://10.0.0.7/clip", "is not supported"),
        (3, "model: {bundle: none}", "0", "none"),
        (5, "", "/no/clip.mp4", "/no/clip.mp4"),
    ],
)
def test_mistakes(tmp_path: Path, capsys: Capture, code: int, more: str, source: str, text: str) -> None:
    file = configuration(tmp_path, f"{more}\n", source)
    assert text in mistake(capsys, code, "run", "-c", file, "--check")


def test_json_goes_with_check(tmp_path: Path, capsys: Capture) -> None:
    assert "--json goes with --check" in mistake(capsys, 2, "run", "-c", configuration(tmp_path), "--json")
