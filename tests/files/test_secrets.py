"""Secrets in files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.files.secrets import read_secret


def test_the_first_line_is_the_secret(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("one\ntwo\n", encoding="utf-8")
    assert read_secret(tmp_path / "password", "the password") == "one"


def test_a_file_for_everybody_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "password").write_text("one\n", encoding="utf-8")
    (tmp_path / "password").chmod(0o644)
    read_secret(tmp_path / "password", "the password")
    assert "everybody can read the password" in caplog.text


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "its first line is empty"), (b"\xff", "not UTF-8"), (None, "No such file")]
)
def test_what_is_no_secret(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "password").write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"the password cannot be read .{reason}"):
        read_secret(tmp_path / "password", "the password")


def test_a_named_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="no regular file"):
        read_secret(tmp_path / "pipe", "the password")
