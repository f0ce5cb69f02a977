"""Journal of the trials on a disk that becomes full."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from edgeagent.detection.journal import Journal
from edgeagent.errors import EdgeagentError


def test_a_line_that_fits_only_in_part_is_told_and_spoils_no_later_one(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path, boot="first")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(EdgeagentError, match="the journal cannot be written"):
            journal.write("start", "tpu")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.stat().st_size == 10
    journal.write("start", "npu")
    assert Journal(path, boot="second").suspects() == ["npu"]
