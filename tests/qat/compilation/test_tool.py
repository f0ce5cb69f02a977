"""A compiler as a process: what an error shows of it, and what is left of it."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

import pytest

from edgeagent.errors import DataError
from edgeagent.qat.compilation import tool
from edgeagent.qat.compilation.tool import run_tool


def test_a_long_line_is_shortened_in_the_error(tmp_path: Path) -> None:
    program = "import sys; sys.stdout.write('x' * 3_000_000); sys.exit(1)"
    with pytest.raises(DataError, match=r"failed \(exit code 1\): x+\.\.\.$") as told:
        run_tool([sys.executable, "-c", program], tmp_path, tmp_path / "result")
    assert len(str(told.value)) < 1000


def test_children_of_a_compiler_that_hangs_are_killed_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "DEADLINE_S", 3.0)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(DataError, match="did not end within 3 s and was killed"):
            run_tool(["/bin/sh", "-c", "(echo x; exec sleep 90) >pipe & wait"], tmp_path, tmp_path / "result")
        assert os.read(reading, 9) == b"x\n"
        ready, _, _ = select.select([reading], [], [], 60.0)  # closed, as nobody can write any more
        assert ready
        assert os.read(reading, 9) == b""
    finally:
        os.close(reading)
