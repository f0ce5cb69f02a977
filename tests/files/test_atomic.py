from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import create_file, replace_file, write_state
from edgeagent.files.result import write_result


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """Let no file of this process grow beyond ``limit`` bytes, which fails like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_is_replaced_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "state" / "record.json"
    for content in (b"old", b"new"):
        write_state(path, content)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_state_is_the_owners_and_results_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        state, result = tmp_path / "state" / "record.json", tmp_path / "result" / "index.json"
        state.parent.mkdir(0o700)
        state.write_bytes(b"of an older version")
        write_state(state, b"new")
        write_state(tmp_path / "more" / "one.json", b"new")
        write_state(result, b"new", shared=True)
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (state, tmp_path / "more")] == [0o600, 0o700]
    assert [path.stat().st_mode & 0o777 for path in (result, result.parent)] == [0o644, 0o755]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    replace_file(path, b"old")
    with full_disk(1000), pytest.raises(EdgeagentError, match=r"record\.json: cannot be written \(File too"):
        write_state(path, bytes(2000))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_the_place_of_the_new_file_is_refused(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"kept")
    (tmp_path / "record.json.new").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        replace_file(tmp_path / "record.json", b"new")
    assert victim.read_bytes() == b"kept"


def test_a_new_file_replaces_none(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    create_file(path, b"secret", 0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        create_file(path, b"other")
    assert path.read_bytes() == b"secret"


def test_a_result_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_result(path, {"ok": 1})
    with full_disk(100), pytest.raises(EdgeagentError, match="the result cannot be written"):
        write_result(path, {"long": "x" * 1000})
    assert json.loads(path.read_bytes()) == {"ok": 1}
    with pytest.raises(EdgeagentError, match="No such file"):
        write_result(tmp_path / "absent" / "result.json", {})


def test_a_result_goes_through_a_link_or_into_a_pipe(tmp_path: Path) -> None:
    target, link, pipe = tmp_path / "target", tmp_path / "link", tmp_path / "pipe"
    target.write_bytes(b"")
    link.symlink_to(target)
    write_result(link, {"ok": 1})
    assert link.is_symlink()
    assert json.loads(target.read_bytes()) == {"ok": 1}
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_result(pipe, {"ok": 2})
    assert json.loads(os.read(reader, 100)) == {"ok": 2}
    os.close(reader)
