"""Commands whose standard streams are closed, as a shell starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STARTED = "import os; open('found', 'w').write(' '.join(os.readlink(f'/proc/self/fd/{n}') for n in range(3)))"
STARTING = f"""\
import subprocess, sys
from edgeagent.files.standard_streams import open_closed_streams
open_closed_streams()
subprocess.run([sys.executable, "-c", {STARTED!r}], check=True)
"""


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "STARTING": STARTING}
    return subprocess.run(
        ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("options", ["--list", "--list --json"])
def test_a_closed_standard_output_is_an_error(tmp_path: Path, options: str) -> None:
    done = shell(f'"$PYTHON" -m edgeagent board {options} >&-', tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith("edgeagent: the output cannot be written (Bad file descriptor)\n")


def test_a_closed_standard_error_or_input_changes_nothing(tmp_path: Path) -> None:
    done = shell('"$PYTHON" -m edgeagent board --list 2>&- <&-', tmp_path)
    assert done.returncode == 0
    assert "jetson-orin-nano" in done.stdout
    done = shell('"$PYTHON" -m edgeagent status -c none.yaml >&- 2>&- <&-', tmp_path)
    assert done.returncode == 2


def test_a_process_that_is_started_has_all_three(tmp_path: Path) -> None:
    done = shell('"$PYTHON" -c "$STARTING" >&- 2>&- <&-', tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "found").read_text(encoding="ascii").split() == ["/dev/null"] * 3
