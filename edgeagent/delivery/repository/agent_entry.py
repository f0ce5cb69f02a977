"""Releases of the agent itself in the index of a channel: one entry for each version and platform.

The wheel set of an entry is the target ``<channel>/_agent/<version>/<platform>.zip``: no model can be called
``_agent``, as names begin with a letter or a digit. Format of it: edgeagent/delivery/agent/wheel_set.py.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt, StringConstraints

from edgeagent.bundle.section import Sha256
from edgeagent.delivery.repository.channel_entry import ChannelEntry, Signed

RESERVED_FOLDER = "_agent"
"""Folder of the wheel sets below the channel."""

PythonVersion = Annotated[str, StringConstraints(pattern=r"^3\.[0-9]{1,2}$")]
Machine = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,32}$")]


class WheelPlatform(Signed):
    """Platform of a wheel set; a part that is None is any.

    Attributes:
        python: version of the interpreter, such as ``3.11``.
        machine: as the kernel calls it, such as ``aarch64``.
        glibc: oldest version of the C library, major and minor.
    """

    python: PythonVersion | None = None
    machine: Machine | None = None
    glibc: tuple[NonNegativeInt, NonNegativeInt] | None = None

    @property
    def label(self) -> str:
        """Name in paths and messages, such as ``python3.11-aarch64-glibc2.28``."""
        libc = f"glibc{self.glibc[0]}.{self.glibc[1]}" if self.glibc else None
        parts = (f"python{self.python}" if self.python else None, self.machine, libc)
        return "-".join(part for part in parts if part) or "any"

    def __str__(self) -> str:
        python = f"Python {self.python}" if self.python else "any Python"
        libc = f", glibc {self.glibc[0]}.{self.glibc[1]} or newer" if self.glibc else ""
        return f"{self.machine or 'any architecture'} with {python}{libc}"


class AgentRelease(ChannelEntry):
    """One version of the agent for one platform.

    Attributes:
        platform: that it runs on.
        sha256, size: of its archive; size in bytes.
        unpacked: bytes of its environment on a device.
        record_format: of the launcher that can start it, see :mod:`edgeagent.launcher.formats`.
        minimum_state_format: oldest state format of an agent that may take it.
    """

    platform: WheelPlatform
    sha256: Sha256
    size: PositiveInt
    unpacked: Annotated[int, Field(gt=0)]
    record_format: PositiveInt = 1
    minimum_state_format: PositiveInt = 1

    @property
    def slot(self) -> str:
        """Name of its environment on a device; different content has a different name."""
        return f"{self.version}-{self.sha256[:12]}"

    def target(self, channel: str) -> str:
        """Return the target path of its archive in the repository."""
        return f"{channel}/{RESERVED_FOLDER}/{self.version}/{self.platform.label}.zip"
