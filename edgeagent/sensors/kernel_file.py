"""Files of /sys and /proc: one value, or None.

Such a file can be missing, restricted to root, on a powered-down device (EIO), removed during the read, empty
or malformed. All of these give None; reading one file never affects another.
"""

from __future__ import annotations

from pathlib import Path

_MAX_BYTES = 4096  # a sysfs file is at most one page


def read_text(path: Path) -> str | None:
    """Return the text without surrounding NULs and white space; None when empty or unreadable."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES)
    except OSError:
        return None
    return content.decode("utf-8", "replace").strip("\0 \t\r\n") or None


def read_number(path: Path, base: int = 10) -> int | None:
    """Return the integer at the start of the text, as in ``32760 ma``.

    None without one, and for one of more than 64 bits, which no counter of the kernel has.
    """
    words = (read_text(path) or "").split()
    try:
        number = int(words[0], base) if words and words[0].isascii() and "_" not in words[0] else None
    except ValueError:
        return None
    return number if number is not None and abs(number) < 1 << 64 else None


def find_files(root: Path, pattern: str) -> list[Path]:
    """Return the sorted paths below ``root`` that match; empty when a folder vanishes during the search."""
    try:
        return sorted(root.glob(pattern))
    except OSError:
        return []
