"""Disk writes of the calling thread, from the kernel's account."""

from __future__ import annotations

import re
from pathlib import Path


def bytes_written(root: Path = Path("/")) -> int | None:
    """Return the bytes that this thread has written to disks; None where the kernel does not count them.

    It is ``write_bytes`` of ``/proc/thread-self/io`` (proc(5)): pages that became dirty, without the file
    system's own metadata.

    Args:
        root: of the tree that ``/proc`` is in.
    """
    try:
        text = (root / "proc/thread-self/io").read_text(encoding="ascii")
    except OSError:
        return None
    match = re.search(r"^write_bytes: (\d+)$", text, re.MULTILINE)
    return int(match.group(1)) if match else None
