from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.telemetry.run_number import next_run


def test_every_start_has_its_number(tmp_path: Path) -> None:
    assert [next_run(tmp_path / "state") for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("content", [b"", b"\xff\xff", b"twelve\n"])
def test_a_number_that_cannot_be_read_begins_anew_and_is_told(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run").write_bytes(content)
    assert [next_run(tmp_path), next_run(tmp_path)] == [1, 2]
    assert caplog.text.count("runs are counted from 1 again") == 1


def test_without_a_disk_there_is_no_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert next_run(tmp_path / "file") is None
    assert "messages carry no run number" in caplog.text
