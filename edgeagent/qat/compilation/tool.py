"""A vendor's compiler as a process: found, run with a deadline, and asked for what it wrote.

The compilers are no dependencies: they have licences and requirements of their own, so each is installed in
an environment of its own and named by its program, or found on the PATH.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from edgeagent.errors import ConfigurationError, DataError
from edgeagent.files.naming import escape_controls, shortened

DEADLINE_S = 900.0
MOST_PRINTED = 16 * 1024 * 1024
"""Bytes of what a compiler prints that are read; the beginning of more is left out."""
SHOWN_LINES, LONGEST_LINE = 4, 300
LONGEST_TEXT = 255
MOST_LEFT = 1000
"""Operators left to the processor that are kept by name; all are counted."""
"""What an error shows of what a compiler has printed."""


def find_tool(name: str, program: Path | None, install: str) -> Path:
    """Return the program of a compiler.

    Args:
        name: of the program.
        program: path that the user gave; None searches the PATH.
        install: how it is installed, as the end of a sentence.

    Raises:
        ConfigurationError: there is none.
    """
    found = shutil.which(str(program) if program is not None else name)
    if found is None:
        where = f"{program}: is no program that can be run" if program is not None else f"{name}: not found"
        raise ConfigurationError(f"{where}; {install}, and give its path with --tool")
    return Path(found)


def run_tool(command: Sequence[str], folder: Path, result: Path) -> str:
    """Run a compiler that writes a file.

    Args:
        command: program and arguments.
        folder: in which it runs.
        result: file that it must write.

    Returns:
        What it printed.

    Raises:
        DataError: it failed, did not end within :data:`DEADLINE_S`, or wrote nothing; the error holds the
            last lines that it printed.
    """
    name = Path(command[0]).name
    with tempfile.TemporaryFile() as output:  # not in memory: a compiler that loops may print gigabytes
        try:
            exit_code = _run(command, folder, output)
        except subprocess.TimeoutExpired:
            raise DataError(f"{name}: did not end within {DEADLINE_S:.0f} s and was killed") from None
        except OSError as error:
            raise DataError(f"{name}: cannot be run ({error.strerror})") from None
        output.seek(max(0, output.seek(0, os.SEEK_END) - MOST_PRINTED))
        printed = output.read().decode(errors="replace")
    if exit_code != 0:
        raise DataError(f"{name}: failed (exit code {exit_code}): {_last(printed)}")
    if not result.is_file() or not result.stat().st_size:
        raise DataError(f"{name}: ended without an error and wrote no {result.name}: {_last(printed)}")
    return printed


def _run(command: Sequence[str], folder: Path, output: IO[bytes]) -> int:
    """Run a program to its end; past the deadline or at an interrupt, kill it and its children."""
    with subprocess.Popen(  # noqa: S603  (the program that the user named)
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            return process.wait(DEADLINE_S)
        except BaseException:  # the interrupt of a terminal does not reach another session
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    shown = [escape_controls(shortened(line, LONGEST_LINE)) for line in lines[-SHOWN_LINES:]]
    return " | ".join(shown) or "it printed nothing"


def told_text(text: str) -> str:
    """Return a text of a compiler without control characters, at most :data:`LONGEST_TEXT` long."""
    return escape_controls(text)[:LONGEST_TEXT] or "unknown"
