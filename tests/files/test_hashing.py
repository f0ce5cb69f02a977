from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from edgeagent.files.hashing import CHUNK, chunks, copy_hashed, hash_file


@pytest.mark.parametrize("size", [0, 1, CHUNK, 2 * CHUNK + 7])
def test_a_copy_has_the_hash_and_the_size_of_its_source(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    copy = tmp_path / "copy"
    digest = hashlib.sha256(content).hexdigest()
    assert copy_hashed(io.BytesIO(content), copy) == (digest, size)
    assert hash_file(copy) == digest
    assert copy.read_bytes() == content


def test_chunks_begin_where_the_file_stands() -> None:
    file = io.BytesIO(bytes(CHUNK + 10))
    file.seek(4)
    assert [len(chunk) for chunk in chunks(file)] == [CHUNK, 6]
