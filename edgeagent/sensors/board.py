"""Identity of the board: model, architecture, operating system, kernel, boot."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

MODELS = ("proc/device-tree/model", "sys/class/dmi/id/product_name")


@dataclass(frozen=True, slots=True)
class Board:
    """Identity of the board; None where the kernel reports nothing.

    Attributes:
        model: device-tree model or DMI product name.
        maker: DMI system vendor, or vendor prefix of the device-tree's first ``compatible`` (Devicetree
            specification 0.4, 2.3.1), such as ``raspberrypi``.
        architecture: machine type, such as ``aarch64``.
        system: name of the operating system (os-release(5), PRETTY_NAME).
        kernel: kernel release.
        boot_id: UUID of this boot (random(4)).
    """

    model: str | None
    maker: str | None
    architecture: str
    system: str
    kernel: str
    boot_id: str | None


def read_board(root: Path = Path("/")) -> Board:
    """Return the identity of this machine.

    Args:
        root: directory that holds /proc, /sys and /etc.
    """
    models = (_read(root / path) for path in MODELS)
    return Board(
        model=next((model for model in models if model), None),
        maker=_maker(root),
        architecture=platform.machine(),
        system=_system(root),
        kernel=platform.release(),
        boot_id=_read(root / "proc/sys/kernel/random/boot_id"),
    )


def _maker(root: Path) -> str | None:
    vendor, _, part = (_read(root / "proc/device-tree/compatible") or "").partition(",")
    return vendor if part else _read(root / "sys/class/dmi/id/sys_vendor")


def _system(root: Path) -> str:
    for line in (_read(root / "etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return platform.system()


def _read(path: Path) -> str | None:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.strip("\0 \n") or None  # device-tree strings end with NUL
