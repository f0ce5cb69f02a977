from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeagent.delivery.state.store import Store
from edgeagent.errors import DeliveryError
from edgeagent.files.folder_lock import FolderLock, LockedError, holder_of, lock_if_free

HOLD = """
import sys
from pathlib import Path
from edgeagent.delivery.state.store import Store
store = Store(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_agent_is_told_who_uses_the_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=rf"another agent \(pid {first.pid}\) uses it; stop that one"):
            Store(tmp_path)
        first.kill()
    Store(tmp_path).close()


def test_an_agent_that_shares_the_folder_is_warned(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = lock_if_free(tmp_path)
    assert first is not None
    assert lock_if_free(tmp_path) is None
    assert f"another agent (pid {os.getpid()}) uses it" in caplog.text
    first.release()


def test_it_is_free_again_after_a_clean_end(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    with pytest.raises(LockedError, match=f"pid {os.getpid()}"):
        FolderLock(tmp_path)
    lock.release()
    FolderLock(tmp_path).release()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="cannot be opened"):
        FolderLock(tmp_path / "absent")


def test_the_holder_is_read_from_the_kernels_table(tmp_path: Path) -> None:
    table = tmp_path / "locks"
    table.write_text(
        "1: POSIX  ADVISORY  WRITE 11 08:01:77 0 EOF\n"
        "2: FLOCK  ADVISORY  WRITE 22 08:01:77 0 EOF\n"
        "2: -> FLOCK  ADVISORY  WRITE 33 08:01:77 0 EOF\n"
        "3: FLOCK  ADVISORY  WRITE -1 08:01:88 0 EOF\n"
    )
    assert holder_of(77, table) == 22
    assert holder_of(88, table) is None
    assert holder_of(7, table) is None
