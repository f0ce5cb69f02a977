"""Trees of /sys and /proc from text archives, in the format of node_exporter's fixtures.

An archive is a comment, then for each file ``Path: ...``, ``Mode: 755`` for a program, ``Lines: n`` and the n
lines. ``NULBYTE`` stands for the byte 0.
"""

from __future__ import annotations

from pathlib import Path

ARCHIVES = Path(__file__).parents[1] / "fixtures" / "sys"


def unpack(board: str, root: Path) -> Path:
    """Unpack the tree of a board below ``root`` and return ``root``."""
    lines = iter((ARCHIVES / f"{board}.txt").read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith("#"):
            continue
        path = root / line.removeprefix("Path: ")
        following = next(lines)
        mode = following.removeprefix("Mode: ") if following.startswith("Mode: ") else None
        count = int((next(lines) if mode else following).removeprefix("Lines: "))
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(next(lines) + "\n" for _ in range(count))
        path.write_text(text.replace("NULBYTE", "\0"), encoding="utf-8")
        if mode:
            path.chmod(int(mode, 8))
    return root


def link_entries(root: Path, folder: str) -> None:
    """Replace the entries of a folder by symbolic links, as in /sys/class and /sys/bus."""
    devices = root / "sys/devices/platform"
    devices.mkdir(parents=True, exist_ok=True)
    for entry in sorted((root / folder).iterdir()):
        entry.rename(devices / entry.name)
        entry.symlink_to(devices / entry.name)


def make_unreadable(path: Path) -> None:
    """Make reads of a file fail with EIO, also for root, like a powered-down sensor."""
    path.unlink()
    path.symlink_to("/proc/self/mem")  # address 0 is not mapped
