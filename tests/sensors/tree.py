"""Trees of /sys and /proc from text archives, in the format of node_exporter's fixtures.

An archive is a comment, then for each file ``Path: ...``, of a program ``Mode: 755``, ``Lines: n``, and the n
lines. ``NULBYTE`` is the byte 0.
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
    """Make the entries of a folder links to folders elsewhere, as all of /sys/class and /sys/bus is."""
    devices = root / "sys/devices/platform"
    devices.mkdir(parents=True, exist_ok=True)
    for entry in sorted((root / folder).iterdir()):
        entry.rename(devices / entry.name)
        entry.symlink_to(devices / entry.name)


def make_unreadable(path: Path) -> None:
    """Let reading a file fail with EIO, as a sensor does that is powered down; for root, too."""
    path.unlink()
    path.symlink_to("/proc/self/mem")  # address 0 is not mapped
