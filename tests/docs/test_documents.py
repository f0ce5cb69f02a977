"""What documents say of exit codes, commands, configuration keys and versions is what the program does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from edgeagent.bundle.manifest import Manifest
from edgeagent.cli import main
from edgeagent.errors import EdgeagentError
from edgeagent.fleet.store.protocol import StoreError
from edgeagent.publisher.errors import HaltedError
from edgeagent.settings.schema import Settings
from edgeagent.telemetry.contract.messages import ROOT as TOPIC_ROOT
from edgeagent.telemetry.contract.messages import ProblemCode
from edgeagent.telemetry.contract.streams import STREAMS
from edgeagent.version import __version__
from tests.docs.text import NAMES, code_blocks, code_spans, read_document, table_rows

OF_THE_COMMAND_LINE = {0, 130}  # done, interrupted


def exit_codes() -> set[int]:
    """Exit codes of all errors that the program has."""
    assert issubclass(HaltedError, EdgeagentError)  # the errors of all packages are imported
    assert issubclass(StoreError, EdgeagentError)
    found, new = {EdgeagentError}, {EdgeagentError}
    while new:
        new = {kind for parent in new for kind in parent.__subclasses__()} - found
        found |= new
    return {kind.exit_code for kind in found} | OF_THE_COMMAND_LINE


def test_the_operations_guide_lists_every_exit_code() -> None:
    section = read_document("docs/operations.md").partition("## Exit codes")[2].partition("\n## ")[0]
    assert {int(row[0]) for row in table_rows(section)} == exit_codes()


def test_the_readme_lists_every_exit_code() -> None:
    text = read_document("README.md").partition("Exit codes: ")[2].partition("\n\n")[0]
    assert {int(code) for code in re.findall(r"(?:^|, )(\d+) ", text.replace("\n", " "))} == exit_codes()


def test_every_alarm_has_a_section_and_a_row() -> None:
    text = read_document("docs/alarms.md")
    sections = re.findall(r"^## `(\w+)`$", text, re.MULTILINE)
    rows = [match[1] for row in table_rows(text) if (match := re.match(r"\[`(\w+)`\]", row[0]))]
    assert sorted(sections) == sorted(rows) == sorted(get_args(ProblemCode))


def help_text(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def subcommands(text: str) -> list[str]:
    """Names in a help text, below the upper-case word that stands for them."""
    listed = re.split(r"^  [A-Z]+$", text, maxsplit=1, flags=re.MULTILINE)[1].partition("\n\n")[0]
    return re.findall(r"^    ([a-z-]+)(?: |$)", listed, re.MULTILINE)


def test_the_readme_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    commands = subcommands(help_text(capsys))
    assert {"run", "status", "qat"} < set(commands)
    of_qat = {f"edgeagent qat {name}" for name in subcommands(help_text(capsys, "qat"))}
    assert of_qat
    section = read_document("README.md").partition("## Commands")[2].partition("\n## ")[0]
    listed = {row[0].strip("`") for row in table_rows(section)}
    assert listed == {f"edgeagent {name}" for name in commands if name != "qat"} | of_qat


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """The command lines of all documents, without comments."""
    for name in NAMES:
        for block in code_blocks(read_document(name), "(?:sh|console)"):
            for line in re.findall(r"^edgeagent ((?:.*\\\n)*.*)$", block, re.MULTILINE):
                words = re.sub(r"\s+#.*|&&.*", "", line.replace("\\\n", " "))
                yield name, re.sub(r"'[^']*'", "TEXT", words).split()


@pytest.mark.parametrize(("name", "line"), list(command_lines()))
def test_a_command_line_of_a_document_is_right(
    capsys: pytest.CaptureFixture[str], name: str, line: list[str]
) -> None:
    try:
        main([*line, "--help"])
    except SystemExit as ended:
        assert ended.code == 0, (name, line)
    options = {word for word in line if word.startswith("--")}
    assert options <= set(re.findall(r"--[a-z0-9-]+", capsys.readouterr().out)), (name, line)


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that a field holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models(argument)


def paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Paths of all fields, such as ``delivery.gate.p90_ms``; lists and mappings add no level."""
    for name, field in model.model_fields.items():
        yield prefix + name
        for inner in models(field.annotation):
            yield from paths(inner, f"{prefix}{name}.")


SECTIONS = {name for name, field in Settings.model_fields.items() if list(models(field.annotation))}
CONTRACT = {path for stream in STREAMS for kind in models(stream.kind) for path in paths(kind)}
KNOWN = {
    ".".join(path.split(".")[start:])
    for path in {*paths(Settings), *paths(Manifest), *CONTRACT}
    for start in range(path.count(".") + 1)
}
"""Fields of the configuration, of a manifest and of messages, by their path or the end of it."""

FIRST = "|".join(sorted(SECTIONS | {"gate", "probation", "hawkbit", "worker", "spool", "tls"}))
FILES = ("model.onnx", "model.tflite", "model.tensorrt.onnx", "spool.db", "spool.db.damaged")


@pytest.mark.parametrize("name", NAMES)
def test_a_key_that_a_document_names_exists(name: str) -> None:
    for span in code_spans(read_document(name)):
        match = re.fullmatch(rf"((?:{FIRST})(?:\.[a-z0-9_]+)+)(?:: .*)?", span)
        if match and match.group(1) not in FILES and not span.endswith((".json", ".py")):
            assert match.group(1) in KNOWN, f"{name}: {span}"


def yaml_blocks() -> Iterator[tuple[str, str]]:
    """Samples of the configuration in documents."""
    for name in NAMES:
        for block in code_blocks(read_document(name), "yaml"):
            keys = yaml.safe_load(block)
            if isinstance(keys, dict) and set(keys) <= set(Settings.model_fields):
                yield name, block


@pytest.mark.parametrize(("name", "block"), list(yaml_blocks()))
def test_keys_of_a_sample_exist(name: str, block: str) -> None:
    def check(data: Any, model: type[BaseModel], place: str) -> None:
        for part in data if isinstance(data, list) else [data]:
            for key, value in part.items():
                assert key in model.model_fields, f"{name}: {place}{key}"
                inner = list(models(model.model_fields[key].annotation))
                if inner and isinstance(value, (dict, list)):
                    check(value, inner[0], f"{place}{key}.")

    check(yaml.safe_load(block), Settings, "")


def test_there_are_samples() -> None:
    assert len(list(yaml_blocks())) >= 8
    assert len(list(command_lines())) >= 15


def test_the_changelog_has_the_versions_of_the_formats() -> None:
    row = table_rows(read_document("CHANGELOG.md"))[0]
    contract = TOPIC_ROOT.removeprefix("edgeagent/v")
    assert row[0].split()[0] == __version__
    assert row[1:] == [contract, str(Manifest.model_fields["schema_version"].default)]
