"""The runner repeats alone what failed beside others, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

RUNNER = Path(__file__).parents[1] / "tools/run_tests.py"
ONCE = """
from pathlib import Path
import pytest

def test_first_time():
    mark = Path(__file__).with_name("mark")
    seen = mark.exists()
    mark.touch()
    assert seen

def test_of_many():
    with Path(__file__).with_name("runs").open("a") as runs:
        runs.write("x")
"""


SKIPPED_AGAIN = ONCE.replace(
    "    assert seen", "    if seen:\n        pytest.skip('not now')\n    assert False"
)


def run(folder: Path, content: str, *arguments: str) -> tuple[int, str]:
    (folder / "test_one.py").write_text(content)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    command = [sys.executable, str(RUNNER), *(arguments or ("--numprocesses", "2")), "."]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, timeout=240)
    return found.returncode, found.stdout


def test_a_test_that_passes_alone_is_listed_and_is_no_failure(tmp_path: Path) -> None:
    status, output = run(tmp_path, ONCE)
    assert status == 0, output
    assert "1 tests failed beside others and passed alone:\n  test_one.py::test_first_time" in output
    assert (tmp_path / "runs").read_text() == "x", "the others are not repeated"


def test_a_test_that_fails_alone_too_is_a_failure(tmp_path: Path) -> None:
    status, output = run(tmp_path, "def test_wrong():\n    assert False\n")
    assert status == 1
    assert "failed beside others and are repeated" in output
    assert "passed alone" not in output


def test_many_failures_are_not_repeated(tmp_path: Path) -> None:
    status, output = run(tmp_path, "".join(f"def test_{n}():\n    assert 0\n" for n in range(9)))
    assert status == 1
    assert "are repeated" not in output


def test_no_test_is_a_failure(tmp_path: Path) -> None:
    assert run(tmp_path, "")[0] == 5


def test_one_that_is_skipped_when_it_is_repeated_has_failed(tmp_path: Path) -> None:
    status, output = run(tmp_path, SKIPPED_AGAIN)
    assert status == 1
    assert "not every one of them was run again" in output


def test_none_runs_again_where_pytest_stops_early(tmp_path: Path) -> None:
    content = ONCE + "\ndef test_wrong():\n    assert False\n"
    status, output = run(tmp_path, content, "-x")
    assert status == 1
    assert "are repeated" not in output
