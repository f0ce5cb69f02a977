"""No text in a record begins a line of its own or reaches the terminal as a command."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from edgeagent.files.log_format import MAX_MESSAGE, LogFormatter

FORGED = "x\nCRITICAL edgeagent: forged"


def logged(message: str, *arguments: object, error: Exception | None = None) -> str:
    logger = logging.Logger("edgeagent.test")
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(LogFormatter())
    logger.addHandler(handler)
    logger.warning(message, *arguments, exc_info=error)
    return output.getvalue()


def test_plain_messages_stay() -> None:
    assert logged("camera %s: lost (Straße 3)", "front") == (
        "WARNING edgeagent.test: camera front: lost (Straße 3)\n"
    )


@given(text=st.text())
@example(text=FORGED)
@example(text="\x1b[2J\x1b[31mRED")
@example(text="a\u2028b\x85c\x0bd\x0ce\u202ef")
@example(text="A" * 20_000)
def test_a_record_is_one_line_without_controls(text: str) -> None:
    line = logged("%s", text)
    assert len(line.splitlines()) == 1
    assert line.removesuffix("\n").isprintable() or max(line) >= "\u00a0"  # other white space and marks stay
    assert not any(character < " " or "\x7f" <= character <= "\x9f" for character in line[:-1])
    assert len(line) <= MAX_MESSAGE + 1


def test_lines_of_a_traceback_are_indented() -> None:
    try:
        raise ValueError(f"{FORGED}\x1b[31m")
    except ValueError as error:
        lines = logged("failed", error=error).splitlines()
    assert lines[0] == "WARNING edgeagent.test: failed"
    assert all(line.startswith("    ") for line in lines[1:])
    assert lines[-1] == "    CRITICAL edgeagent: forged\\x1b[31m"


def test_the_command_line_uses_it(tmp_path: Path) -> None:
    """A name of a file with a newline and ESC, in an error of the command line."""
    name = tmp_path / "x\x1b[31m.yaml"
    done = subprocess.run(
        [sys.executable, "-m", "edgeagent", "run", "-c", str(name)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "\\x1b[31m" in done.stderr
    assert "\x1b" not in done.stderr
