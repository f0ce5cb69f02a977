from __future__ import annotations

import os
from pathlib import Path

from edgeagent.files.disk_io import bytes_written


def test_what_is_written_is_counted_or_not_told(tmp_path: Path) -> None:
    before = bytes_written()
    with (tmp_path / "file").open("wb") as file:
        file.write(bytes(1_000_000))
        file.flush()
        os.fsync(file.fileno())
    after = bytes_written()
    if before is None or after is None:
        assert not Path("/proc/thread-self/io").exists() or not os.access("/proc/thread-self/io", os.R_OK)
    else:
        assert 0 <= after - before < 2_000_000  # nothing, where the folder lies in memory


def test_a_kernel_without_an_account_does_not_tell(tmp_path: Path) -> None:
    assert bytes_written(tmp_path) is None
    (tmp_path / "proc/thread-self").mkdir(parents=True)
    account = tmp_path / "proc/thread-self/io"
    account.write_text("rchar: 5\nwchar: 6\nwrite_bytes: 4096\ncancelled_write_bytes: 9\n", encoding="ascii")
    assert bytes_written(tmp_path) == 4096
    account.write_text("rchar: 5\n", encoding="ascii")
    assert bytes_written(tmp_path) is None
