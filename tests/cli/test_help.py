"""``--help`` of every command works and contains its key information."""

from __future__ import annotations

import re

import pytest

from edgeagent.cli import main
from edgeagent.version import __version__
from tests.cli.command import edgeagent, mistake, wrong_use

COMMANDS: dict[tuple[str, ...], str] = {
    (): "first steps:",
    ("run",): "reported with their line",
    ("demo",): "writes an annotated clip",
    ("bench",): "examples:",
    ("doctor",): "no camera is opened",
    ("board",): "ready to save",
    ("cameras",): "never printed",
    ("cameras", "find"): "nothing is sent",
    ("cameras", "test"): "it gives no picture, with the reason",
    ("serve-detector",): "the reason in the log",
    ("completion",): "completes commands, options and their values",
    ("status",): "the deployment record cannot be read",
    ("reload",): "the file has mistakes, and nothing has changed",
    ("live",): "live changes.",
    ("live", "show"): "where its value comes from",
    ("live", "set"): "value as in the file",
    ("live", "undo"): "default: all live changes",
    ("live", "save"): "comments, order and quotes stay",
    ("eval",): "examples:",
    ("frames",): "as proposed labels",
    ("frames", "export"): "CVAT for images 1.1",
    ("frames", "labels"): "or none",
    ("qat",): "train a float ONNX detector to INT8",
    ("qat", "describe"): "Look at the drawn pictures",
    ("qat", "train"): "example:",
    ("qat", "report"): "examples:",
    ("bundle",): "verify hashes",
    ("bundle", "check"): "Exit code 3",
    ("provision",): "from a table to boards:",
    ("provision", "make"): "nothing is written",
    ("provision", "show"): "without its secrets",
    ("provision", "apply"): "can be repeated",
    ("fleet",): "from the broker to an answer:",
    ("fleet", "ingest"): "acknowledge a message once it is",
    ("fleet", "query"): "what would change something",
    ("fleet", "simulate"): "devices that are not there",
    ("fleet", "serve"): "then users must exist",
    ("fleet", "users"): "of tokens only a digest",
    ("fleet", "users", "add"): "its tenant's",
    ("fleet", "users", "change"): "a new password ends sessions",
    ("fleet", "users", "list"): "without secrets",
    ("fleet", "users", "remove"): "with all tokens",
    ("fleet", "users", "token"): "printed this once",
    ("fleet", "upload-token"): "opens nothing but uploads",
    ("publish",): "from keys to rollout:",
    ("publish", "init"): "examples:",
    ("publish", "new-key"): "Passphrases are asked for",
    ("publish", "delegate"): "They can sign nothing outside the channel",
    ("publish", "sign"): "The metadata is shown first",
    ("publish", "accept"): "metadata with valid signatures is accepted",
    ("publish", "rotate-key"): "over any number of rotations",
    ("publish", "refresh"): "Run it by a timer",
    ("publish", "add"): "examples:",
    ("publish", "withdraw"): "Its files stay",
    ("publish", "rollout"): "and binds tighter",
    ("publish", "rollout", "watch"): "the exit code is 8",
    ("publish", "status"): "days to expiry",
    ("publish", "verify"): "as a device does",
    ("publish", "audit"): "nobody verifies it",
    ("publish", "audit", "verify"): "Exit code 7",
}

GROUPS = (
    (),
    ("cameras",),
    ("fleet",),
    ("frames",),
    ("live",),
    ("provision",),
    ("qat",),
    ("bundle",),
    ("publish",),
    ("publish", "rollout"),
)
"""Commands that only have commands below them."""


def help_of(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(("command", "lesson"), COMMANDS.items())
def test_help(capsys: pytest.CaptureFixture[str], command: tuple[str, ...], lesson: str) -> None:
    text = help_of(capsys, *command)
    assert text.startswith(f"usage: {' '.join(('edgeagent', *command))} ")
    assert lesson in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_what_it_does(capsys: pytest.CaptureFixture[str], command: tuple[str, ...]) -> None:
    text = help_of(capsys, *command)
    text = text[text.index("options:") :].partition("\n\n")[0]
    options = re.split(r"\n  (?=-)", text)[1:]
    assert options
    if command in (("bundle", "check"), ("eval",)):
        options = [
            option for option in options if not option.startswith("--engine")
        ]  # its choices are self-explanatory
    for option in options:
        assert len(re.split(r"\s{2,}", option.strip())) >= 2, option


@pytest.mark.parametrize(
    "command",
    [("eval",), ("completion",), ("qat",), ("qat", "train"), ("qat", "report"), ("bundle",), ("publish",)],
)
def test_missing_arguments_are_named(capsys: pytest.CaptureFixture[str], command: tuple[str, ...]) -> None:
    line = wrong_use(capsys, *command)
    assert line.startswith(f"{' '.join(('edgeagent', *command))}: error: ")
    assert "required" in line


def test_without_a_command_the_first_steps_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    steps = printed.err.partition("first steps:\n")[2].partition("\n\n")[0].splitlines()
    assert 3 <= len(steps) <= 5
    assert all(step.startswith("  edgeagent ") for step in steps)
    assert "edgeagent --help" in printed.err


def test_run_without_a_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no configuration: give one with -c FILE" in mistake(capsys, 2, "run")
    assert "no configuration: give one with -c FILE" in mistake(capsys, 2, "run", "--check")


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in GROUPS])
def test_every_command_teaches_by_examples(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    text = help_of(capsys, *command)
    examples = text.partition("example")[2]
    assert f"edgeagent {' '.join(command)}".strip() in examples, "add `examples:` to its help"


def test_examples_of_the_help_are_right(capsys: pytest.CaptureFixture[str]) -> None:
    """The parser accepts each command line in a help text."""
    texts = [help_of(capsys, *command) for command in COMMANDS]
    lines = re.findall(r"^ +edgeagent ((?:.*\\\n)*.*)$", "\n".join(texts), re.MULTILINE)
    examples = [line.replace("\\\n", " ").partition("   ")[0].split() for line in lines]
    assert len(examples) >= 6
    for example in examples:
        try:
            main([*example, "--help"])
        except SystemExit as ended:
            assert ended.code == 0, example
        assert set(re.findall(r"--[a-z-]+", " ".join(example))) <= set(
            re.findall(r"--[a-z-]+", capsys.readouterr().out)
        )


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"edgeagent {__version__}\n"


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "invalid choice: 'fly'" in wrong_use(capsys, "fly")


def test_it_starts_as_a_module() -> None:
    assert edgeagent("--version") == (0, f"edgeagent {__version__}\n", "")
    code, _, errors = edgeagent("eval")
    assert code == 2
    assert "Traceback" not in errors


def test_help_needs_no_extra_package() -> None:
    """A board without any of the extras shows all help texts."""
    extras = "torch,onnx,rich,amqtt,pycocotools,ai_edge_litert,tflite_runtime"
    for command in ((), ("demo",), ("bench",), ("eval",), ("qat", "train")):
        code, output, errors = edgeagent(*command, "--help", without=extras)
        assert (code, errors) == (0, "")
        assert output.startswith("usage: ")
