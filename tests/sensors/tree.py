"""Trees of /sys and /proc from text archives, in the format of node_exporter's fixtures.

An archive is a comment, then for each file ``Path: ...``, ``Lines: n``, n lines. ``NULBYTE`` is the byte 0.
"""

from __future__ import annotations

from pathlib import Path

ARCHIVES = Path(__file__).parents[1] / "fixtures" / "sys"


def unpack(board: str, root: Path) -> Path:
    """Lay the tree of a board out below ``root`` and return it."""
    lines = iter((ARCHIVES / f"{board}.txt").read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith("#"):
            continue
        path = root / line.removeprefix("Path: ")
        count = int(next(lines).removeprefix("Lines: "))
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(next(lines) + "\n" for _ in range(count))
        path.write_text(text.replace("NULBYTE", "\0"), encoding="utf-8")
    return root


def link_entries(root: Path, folder: str) -> None:
    """Make the entries of a folder links to folders elsewhere, as all of /sys/class and /sys/bus is."""
    devices = root / "sys/devices/platform"
    devices.mkdir(parents=True)
    for entry in sorted((root / folder).iterdir()):
        entry.rename(devices / entry.name)
        entry.symlink_to(devices / entry.name)


def make_unreadable(path: Path) -> None:
    """Let reading a file fail with EIO, as a sensor does that is powered down; for root, too."""
    path.unlink()
    path.symlink_to("/proc/self/mem")  # address 0 is not mapped
