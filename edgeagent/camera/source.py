"""What every frame source offers: the protocol between the capture thread and a camera or a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edgeagent.imaging.frame import Image


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What an open source says of itself.

    Attributes:
        live: frames come when they come; otherwise they lie in a file and can be read at any speed.
        fps: nominal frame rate, None when unknown.
        size: (width, height) in pixels, None when unknown or changing.
    """

    live: bool
    fps: float | None = None
    size: tuple[int, int] | None = None


class FrameSource(Protocol):
    """One camera, stream, clip or folder. Not thread-safe: one thread opens, reads and closes it.

    It can be opened again after it was closed, and then starts from the beginning.
    """

    @property
    def facts(self) -> SourceFacts:
        """Valid while the source is open."""

    @property
    def position(self) -> float | None:
        """Time stamp in its file of the frame read last, in seconds; None when unknown or live."""

    @property
    def unreadable(self) -> int:
        """Pictures left out because they could not be read, since the source was made."""

    def open(self) -> None:
        """Open the source.

        Raises:
            CameraError: it is missing, refuses, does not answer in time or holds no pictures.
        """

    def read(self, into: Image | None) -> Image | None:
        """Wait for the next frame.

        Args:
            into: (height, width, 3) uint8 that the source may fill and return when the frame has this
                size; what it holds afterwards is undefined otherwise.

        Returns:
            (height, width, 3) uint8, BGR: ``into`` or a new array; None at the end of a file.

        Raises:
            CameraError: the camera is lost.
        """

    def close(self) -> None:
        """Let the camera go; does nothing when it is not open."""
