"""SHA-256 of files and copies, read in chunks, so that a large file takes no memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

CHUNK = 1 << 20
"""Bytes of a chunk."""


class Readable(Protocol):
    """A file that is open for reading bytes."""

    def read(self, size: int, /) -> bytes | None:
        """Return at most ``size`` bytes; nothing at the end."""


def chunks(file: Readable) -> Iterator[bytes]:
    """Yield what is left of an open file, :data:`CHUNK` bytes at most at a time."""
    while chunk := file.read(CHUNK):
        yield chunk


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        for chunk in chunks(file):
            digest.update(chunk)
    return digest.hexdigest()


def copy_hashed(source: Readable, target: Path) -> tuple[str, int]:
    """Copy an open file to a new one and fsync the copy, but not its folder.

    Returns:
        SHA-256 in hexadecimal, and size in bytes.

    Raises:
        OSError: the source cannot be read, or the copy exists or cannot be written.
    """
    digest, size = hashlib.sha256(), 0
    with target.open("xb") as file:
        for chunk in chunks(source):
            digest.update(chunk)
            size += file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest(), size
