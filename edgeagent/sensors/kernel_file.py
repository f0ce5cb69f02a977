"""Reading one file of /sys or /proc: a value, or nothing.

Such a file may be missing, for root alone, of a device that is powered down (EIO), gone in the middle of the
reading, empty, or hold something else. All of that is one answer, None, and never touches another file.
"""

from __future__ import annotations

from pathlib import Path

_MOST_BYTES = 4096  # a file of /sys is at most one page


def read_text(path: Path) -> str | None:
    """Return the text without NULs and blanks around it; None where there is none."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES)
    except OSError:
        return None
    return content.decode("utf-8", "replace").strip("\0 \t\r\n") or None


def read_number(path: Path, base: int = 10) -> int | None:
    """Return the whole number that the text begins with, as in ``32760 ma``; None where there is none."""
    words = (read_text(path) or "").split()
    try:
        return int(words[0], base) if words and words[0].isascii() and "_" not in words[0] else None
    except ValueError:
        return None


def find_files(root: Path, pattern: str) -> list[Path]:
    """Return paths below ``root`` in their order; none of a folder that vanishes meanwhile."""
    try:
        return sorted(root.glob(pattern))
    except OSError:
        return []
