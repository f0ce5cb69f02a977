"""Recognition of a board: its profile, its operating system, and the accelerators that are attached.

Sources: /proc/device-tree/{compatible,model} (Devicetree specification 0.4, 2.3.1: NUL-terminated strings,
the most specific one first), /etc/nv_tegra_release of Jetson Linux, VERSION_ID of os-release(5).
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path

from edgeagent.doctor.board_profile import (
    Accelerator,
    BoardProfile,
    BoardSystem,
    load_accelerators,
    load_profiles,
)
from edgeagent.doctor.finding import read_file
from edgeagent.engines.availability import is_attached
from edgeagent.engines.delegates import EXTERNAL, Needs

MOST_STRINGS = 100
"""Compatible strings that are compared; a board has a few."""


@dataclass(frozen=True)
class RecognizedBoard:
    """Board with its profile.

    Attributes:
        profile: of the board.
        system: its operating system; None for one that the profile does not know.
        accelerators: that are attached, whether or not they can be used.
    """

    profile: BoardProfile
    system: BoardSystem | None
    accelerators: tuple[Accelerator, ...]

    @property
    def delegates(self) -> tuple[str, ...]:
        """Delegates of the attached accelerators and of the board, the expected fastest first."""
        names = [name for one in self.accelerators for name in one.delegates]
        external = [EXTERNAL] if self.profile.library else []
        return tuple(dict.fromkeys([*names, *external, *self.profile.delegates]))


def recognize_board(root: Path = Path("/")) -> RecognizedBoard | None:
    """Return the board of a tree with its profile; None for a board without one.

    Args:
        root: directory that holds /proc, /sys, /dev and /etc.

    Raises:
        ConfigurationError: an installed profile is damaged.
    """
    profile = _profile(root)
    return None if profile is None else describe_board(profile, root)


def describe_board(profile: BoardProfile, root: Path = Path("/")) -> RecognizedBoard:
    """Return a board that has a profile, with the system and the accelerators of a tree."""
    known = load_accelerators()
    attached = [
        known[name]
        for name in profile.accelerators
        if is_attached(Needs((), nodes=known[name].nodes, usb=known[name].usb), root)
    ]
    return RecognizedBoard(profile, _system(profile, root), tuple(attached))


def _profile(root: Path) -> BoardProfile | None:
    profiles = load_profiles().values()
    strings = (read_file(root / "proc/device-tree/compatible") or "").split("\0")
    for string in strings[:MOST_STRINGS]:
        for profile in profiles:
            if _matches(string, profile.compatible):
                return profile
    model = read_file(root / "proc/device-tree/model") or ""
    return next((profile for profile in profiles if _matches(model, profile.models)), None)


def _matches(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


def _system(profile: BoardProfile, root: Path) -> BoardSystem | None:
    release = re.search(r"R(\d{1,4}) \(release\)", read_file(root / "etc/nv_tegra_release") or "")
    version = re.search(r'^VERSION_ID="?([^"\n]*)', read_file(root / "etc/os-release") or "", re.MULTILINE)
    for system in profile.systems:
        if system.jetson_linux is not None:
            if release is not None and int(release.group(1)) == system.jetson_linux:
                return system
        elif system.version_id is None or (version is not None and version.group(1) == system.version_id):
            return system
    return None
