"""``--json`` means one thing: one JSON document on standard output, and nothing else there."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeagent.cli import _parser, main

WITHOUT = {
    "completion",  # a script
    "serve-detector",  # runs until it is stopped; its configuration lines are YAML
    "qat train",  # its result is the bundle
    "publish init",  # these change a repository, whose metadata are the result
    "publish new-key",
    "publish delegate",
    "publish sign",
    "publish accept",
    "publish rotate-key",
    "publish refresh",
    "publish add",
    "publish boards",
    "publish withdraw",
    "publish rollout",
    "publish config",
    "publish agent",
    "fleet ingest",  # these run until they are stopped
    "fleet serve",
    "fleet simulate",
    "fleet users add",  # these change users; of a token, the token is the result
    "fleet users change",
    "fleet users remove",
    "fleet users token",
    "fleet upload-token",
}
"""Commands without a result that could be a document."""


def commands(
    parser: argparse.ArgumentParser, path: str = ""
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield all commands that run something by themselves."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield path, parser
    for group in groups:
        for name, part in group.choices.items():
            yield from commands(part, f"{path} {name}".strip())


ALL = dict(commands(_parser([])))


@pytest.mark.parametrize("command", ALL)
def test_the_option_is_a_switch_everywhere(command: str) -> None:
    actions = {name: action for action in ALL[command]._actions for name in action.option_strings}
    assert ("--json" in actions) == (command not in WITHOUT)
    if "--json" in actions:
        assert actions["--json"].nargs == 0
    if "--json-file" in actions:
        assert actions["--json-file"].type is Path


def test_text_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["board", "--list"]) == 0
    text = capsys.readouterr().out
    assert main(["board", "--list", "--json"]) == 0
    printed = capsys.readouterr()
    assert list(json.loads(printed.out)) == ["profiles"]
    assert printed.err == text


def test_a_bundle_that_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", "check", "coco-nano", "--engine", "onnxruntime", "--json"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["bundle"] == "coco-nano"
    assert "model.onnx" in found["artefacts"]
    assert found["golden"] is not None
    assert "hash verified" in printed.err


def test_a_command_that_fails_prints_no_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", "check", "no-such-bundle", "--json"]) == 3
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("here", "Is a directory"),
        ("none/result.json", "No such file or directory"),
        ("here/old.json/result.json", "Not a directory"),
        ("closed/result.json", "may not write there, or the disk is read-only"),
        ("here/old.json", "another option names the same file"),
        ("link.json", "another option names the same file"),
    ],
)
def test_a_file_that_cannot_take_the_result_is_refused_before_the_run(
    place: str,
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = tmp_path / "here" / "old.json"
    old.parent.mkdir()
    old.write_text("{}", encoding="ascii")
    (tmp_path / "link.json").symlink_to(old)
    (tmp_path / "closed").mkdir()
    monkeypatch.setattr("os.access", lambda path, _: path != tmp_path / "closed")  # root may write anywhere
    monkeypatch.setattr("edgeagent.cli.bench.run", lambda _: pytest.fail("the command was run"))
    assert main(["bench", "--compare", str(old), str(old), "--json-file", str(tmp_path / place)]) == 1
    assert reason in capsys.readouterr().err
    assert old.read_text(encoding="ascii") == "{}"


@pytest.mark.parametrize("place", ["result.json", "/dev/null", "/dev/stdout"])
def test_files_links_and_devices_take_the_result(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeagent.cli.bench.run", lambda _: 0)
    assert main(["bench", "--json-file", str(tmp_path / place)]) == 0
