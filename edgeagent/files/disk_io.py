"""What this thread has written to the disk."""

from __future__ import annotations

import re
from pathlib import Path


def bytes_written(root: Path = Path("/")) -> int | None:
    """Return the bytes that this thread has caused to be written, from proc(5): io, ``write_bytes``.

    It counts pages that became dirty: what the kernel gives the disk, beside the notes of the file system.
    None where the kernel keeps no account.
    """
    try:
        text = (root / "proc/thread-self/io").read_text(encoding="ascii")
    except OSError:
        return None
    match = re.search(r"^write_bytes: (\d+)$", text, re.MULTILINE)
    return int(match.group(1)) if match else None
