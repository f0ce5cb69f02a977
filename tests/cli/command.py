"""Running ``edgeagent`` in this process or in a subprocess."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgeagent.cli import main

ROOT = Path(__file__).parents[2]
_WITHOUT = """
import sys
for name in sys.argv.pop(1).split(","):
    sys.modules[name] = None  # makes its import fail, as for a missing package
from edgeagent.cli import main
sys.exit(main())
"""


def edgeagent(*arguments: object, without: str = "", cwd: Path | None = None) -> tuple[int, str, str]:
    """Run the program.

    Args:
        arguments: command-line arguments.
        without: packages whose import fails, separated by commas.
        cwd: working directory.

    Returns:
        Its exit code, standard output and standard error.
    """
    start = ["-c", _WITHOUT, without] if without else ["-m", "edgeagent"]
    done = subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd or ROOT,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def mistake(capsys: pytest.CaptureFixture[str], code: int, *arguments: object) -> str:
    """Run a command that must fail with this exit code and return its one-line message."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == code
    return the_line(capsys.readouterr().err)


def the_line(errors: str) -> str:
    """Return the single line of standard error without the program name."""
    (line,) = errors.splitlines()
    assert line.startswith("edgeagent: ")
    return line.removeprefix("edgeagent: ")


def wrong_use(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command line that the parser refuses and return the last line of its message."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert caught.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]
