"""Identity of a hard frame, which is also its path: names are checked letter by letter."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from edgeagent.errors import DataError
from edgeagent.fleet.page.permalinks import NO_TENANT

PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.@+ -]{0,63}")
"""Name of a device or a camera: no slash, and no dot first."""
STEM = re.compile(r"\d{1,12}\.\d{6}")


class FrameRefusedError(DataError):
    """A frame that cannot be taken, now or ever."""


@dataclass(frozen=True, slots=True)
class FrameKey:
    """Identity of a frame.

    Attributes:
        tenant: "" for devices without one.
        device, camera: names.
        stem: seconds since 1970.
    """

    tenant: str
    device: str
    camera: str
    stem: str

    @property
    def path(self) -> str:
        """Path below the folder, without a suffix."""
        return f"{self.tenant or NO_TENANT}/{self.device}/{self.camera}/{self.stem}"

    @property
    def name(self) -> str:
        """Name of the picture in exports, unique over the fleet."""
        digest = hashlib.sha256(self.path.encode()).hexdigest()[:8]
        parts = (re.sub(r"[^A-Za-z0-9_-]", "_", one) for one in (self.device, self.camera, self.stem))
        return f"{'-'.join(parts)}-{digest}.jpg"

    @classmethod
    def checked(cls, tenant: str, device: str, camera: str, stem: str) -> FrameKey:
        """Return a key of names that somebody else has given.

        Raises:
            FrameRefusedError: one cannot be a part of a path.
        """
        if tenant == NO_TENANT:  # its folder is that of devices without a tenant
            raise FrameRefusedError(f"{NO_TENANT} is no name of a tenant; issue a token for another one")
        if not all(PART.fullmatch(one) for one in (tenant or NO_TENANT, device, camera)):
            raise FrameRefusedError("device and camera: use letters, digits and _ - . @ +, 64 at most")
        if not STEM.fullmatch(stem):
            raise FrameRefusedError("expected the seconds since 1970 with six decimals as the name of a file")
        return cls(tenant, device, camera, stem)
