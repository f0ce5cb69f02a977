"""Camera that was found, with the sources that a configuration may name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """Format that a camera offers.

    Attributes:
        codec: as the camera names it, such as ``MJPG``, ``YUYV`` or ``H264``.
        width, height: in pixels; None where the camera names no single size.
        fps: highest frame rate of this size; None where it is not told.
    """

    codec: str
    width: int | None = None
    height: int | None = None
    fps: float | None = None

    def describe(self) -> str:
        """Return it as text, such as ``MJPG 1920x1080 30/s``."""
        size = f" {self.width}x{self.height}" if self.width and self.height else ""
        return f"{self.codec}{size}" + (f" {self.fps:g}/s" if self.fps else "")


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """Camera that was found.

    Attributes:
        kind: how it was found.
        name: as it calls itself; never empty.
        address: ``source`` for the configuration, without credentials; of an ONVIF camera whose streams are
            not known, the address of its service.
        formats: that it offers, the largest first.
        problem: why it cannot be used as it is, and what to do; None where it can.
    """

    kind: Literal["v4l2", "onvif"]
    name: str
    address: str
    formats: tuple[PictureFormat, ...] = field(default=())
    problem: str | None = None
