"""Availability of delegates on this board: packages, libraries, device nodes, permissions.

Libraries are looked up, not opened, as opening one may end the process. All paths lie below ``root``, so that
tests can use an archived /sys and /dev tree of a board.
"""

from __future__ import annotations

import ctypes.util
import functools
import grp
import importlib.util
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from edgeagent.engines.delegates import Delegate, Needs
from edgeagent.engines.processors import processor_flags
from edgeagent.engines.providers import built_providers

ROOT = Path("/")
NO_PERMISSION = "no permission on"
LIBRARY_FOLDERS = ("usr/lib", "usr/local/lib", "lib", "usr/lib64")


@dataclass(frozen=True)
class Availability:
    """Whether a delegate can be tried on this board.

    Attributes:
        delegate: of the catalogue.
        missing: the first need that is not met and what to do, in a sentence; None where all are met.
    """

    delegate: Delegate
    missing: str | None

    @property
    def ok(self) -> bool:
        """Whether all its needs are met."""
        return self.missing is None

    @property
    def forbidden(self) -> bool:
        """Whether its device is there but this user may not use it."""
        return self.missing is not None and self.missing.startswith(NO_PERMISSION)


def availability(delegate: Delegate, root: Path = ROOT) -> Availability:
    """Return whether a delegate can be tried, or the first need that is not met."""
    needs = delegate.needs
    checks = (
        _machine,
        _package,
        _provider,
        _library,
        functools.partial(_flags, root=root),
        functools.partial(_device, root=root),
    )
    missing = next((found for check in checks if (found := check(needs)) is not None), None)
    return Availability(delegate, missing)


def _machine(needs: Needs) -> str | None:
    if not needs.machines or platform.machine() in needs.machines:
        return None
    return f"this is {platform.machine()}; it runs on {', '.join(needs.machines)}"


def _flags(needs: Needs, root: Path) -> str | None:
    if not needs.flags or processor_flags(root).intersection(needs.flags):
        return None
    return f"this processor has no {' and no '.join(needs.flags)}"


def _package(needs: Needs) -> str | None:
    if any(importlib.util.find_spec(package) for package in needs.packages):
        return None
    return f"the package {' or '.join(needs.packages)} is not installed"


def _provider(needs: Needs) -> str | None:
    if needs.provider is None or needs.provider in built_providers():
        return None
    return f"the installed onnxruntime was built without {needs.provider}"


def _library(needs: Needs) -> str | None:
    if needs.library is None or find_library(needs.library) is not None:
        return None
    return f"the library {needs.library} is not installed"


def find_library(name: str) -> str | None:
    """Return the name or path that opens a shared library; None where it is not installed."""
    if "/" in name:
        return name if Path(name).is_file() else None
    stem = name.removeprefix("lib").split(".so")[0]
    if ctypes.util.find_library(stem) is not None:
        return name
    folders = (*os.environ.get("LD_LIBRARY_PATH", "").split(":"), *(f"/{path}" for path in LIBRARY_FOLDERS))
    return name if any(folder and (Path(folder) / name).is_file() for folder in folders) else None


def is_attached(needs: Needs, root: Path = ROOT) -> bool:
    """Return whether a device that a delegate needs is attached, whether or not this user may use it."""
    nodes, sticks = _find_devices(needs, root)
    return bool(nodes or sticks)


def _find_devices(needs: Needs, root: Path) -> tuple[list[Path], list[Path]]:
    """Return device nodes, and folders of USB devices."""
    nodes = [path for pattern in needs.nodes for path in sorted(root.glob(pattern))]
    sticks = [path for path in sorted(root.glob("sys/bus/usb/devices/*")) if _usb_id(path) in needs.usb]
    return nodes, sticks


def _device(needs: Needs, root: Path) -> str | None:
    if not needs.nodes and not needs.usb:
        return None
    nodes, sticks = _find_devices(needs, root)
    if not nodes and not sticks:
        looked_for = (*(f"/{one}" for one in needs.nodes), *(f"USB {one}" for one in needs.usb))
        return f"no device: there is no {' and no '.join(looked_for)}"
    paths = nodes or [path for stick in sticks if (path := _usb_node(root, stick)) is not None]
    refused = [path for path in paths if not os.access(path, os.R_OK | os.W_OK)]
    if not paths or len(refused) < len(paths):
        return None
    group = _group(refused[0]) or needs.group
    return f"{NO_PERMISSION} {refused[0]}{f'; add the user to group {group}' if group else ''}"


def _group(node: Path) -> str | None:
    """Return the group that may read and write a node; None where no group has access."""
    try:
        status = node.stat()
        shared = status.st_gid != 0 and status.st_mode & 0o060 == 0o060
        return grp.getgrgid(status.st_gid).gr_name if shared else None
    except (OSError, KeyError):
        return None


def _usb_id(device: Path) -> str:
    return ":".join(_read(device / name) for name in ("idVendor", "idProduct"))


def _usb_node(root: Path, device: Path) -> Path | None:
    """Return the device node of a USB device, such as dev/bus/usb/001/004."""
    numbers = [_read(device / name) for name in ("busnum", "devnum")]
    if not all(number.isdigit() for number in numbers):
        return None
    bus, number = (int(one) for one in numbers)
    return root / "dev" / "bus" / "usb" / f"{bus:03}" / f"{number:03}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
