"""Platform of this board, and whether a release of the agent is for it."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass

from edgeagent.delivery.repository.agent_entry import AgentRelease
from edgeagent.launcher.environment import python_version
from edgeagent.launcher.formats import RECORD_FORMAT, STATE_FORMAT


@dataclass(frozen=True)
class BoardPlatform:
    """Platform of a board.

    Attributes:
        machine: architecture of its programs, such as ``aarch64``.
        python: version of the interpreter.
        glibc: version of the C library; None for another one.
        state_format, record_format: of the running agent.
    """

    machine: str
    python: str
    glibc: tuple[int, int] | None
    state_format: int = STATE_FORMAT
    record_format: int = RECORD_FORMAT

    def __str__(self) -> str:
        libc = f"glibc {self.glibc[0]}.{self.glibc[1]}" if self.glibc else "no glibc"
        return f"{self.machine} with Python {self.python}, {libc}"


def read_platform() -> BoardPlatform:
    """Return the platform of this process; a 32-bit program on a 64-bit kernel is 32-bit."""
    machine = platform.machine()
    if sys.maxsize < 2**32:
        machine = {"aarch64": "armv7l", "x86_64": "i686"}.get(machine, machine)
    return BoardPlatform(machine, python_version(), _glibc())


def platform_hindrance(release: AgentRelease, here: BoardPlatform) -> str | None:
    """Return why a release cannot run on a platform, as a sentence; None if it can."""
    wanted = release.platform
    other_libc = wanted.glibc is not None and (here.glibc is None or here.glibc < wanted.glibc)
    if wanted.machine not in (None, here.machine) or wanted.python not in (None, here.python) or other_libc:
        return f"it is for {wanted}; this board is {here}"
    if release.record_format > here.record_format:
        return "it needs a newer launcher: upgrade the package"
    if release.minimum_state_format > here.state_format:
        return (
            f"version {here.state_format} of the state's format could not read what it writes "
            f"({release.minimum_state_format} is the least), so there would be no way back"
        )
    return None


def _glibc() -> tuple[int, int] | None:
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
        major, minor = version.split(".")[:2]
        return (int(major), int(minor)) if name == "glibc" else None
    except (ValueError, OSError):
        return None
