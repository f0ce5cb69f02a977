"""Frame source protocol between the capture thread and a camera, stream or file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from edgeagent.imaging.frame import Image


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """Properties of an open source.

    Attributes:
        live: whether frames arrive in real time; False for a file, which can be read at any speed.
        fps: nominal frame rate; None when unknown.
        size: (width, height) in pixels; None when unknown or variable.
        poll_period: seconds between two reads of a source that is polled; None where reading waits by itself.
    """

    live: bool
    fps: float | None = None
    size: tuple[int, int] | None = None
    poll_period: float | None = None


class FrameSource(Protocol):
    """One camera, stream, clip or folder. Not thread-safe: one thread opens, reads and closes it.

    A closed source can be opened again and then starts from the beginning.
    """

    @property
    def facts(self) -> SourceFacts:
        """Properties of the source; valid while it is open."""

    @property
    def position(self) -> float | None:
        """Time stamp of the last read frame in its file in seconds; None when unknown or live."""

    @property
    def unreadable(self) -> int:
        """Number of frames or pictures left out, as they cannot be decoded, since the source was created."""

    def open(self) -> None:
        """Open the source.

        Raises:
            CameraError: the source is missing, refuses access, does not respond in time or has no pictures.
        """

    def read(self, into: Image | None) -> Image | None:
        """Wait for the next frame.

        Args:
            into: (height, width, 3) uint8 buffer that the source may fill and return when the frame has this
                size; its content is undefined otherwise.

        Returns:
            (height, width, 3) uint8, BGR: ``into`` or a new array; None at the end of a file.

        Raises:
            CameraError: the camera is lost.
        """

    def close(self) -> None:
        """Release the camera; does nothing when the source is not open."""


@runtime_checkable
class AwaitedSource(Protocol):
    """A source whose next frame is awaited without a buffer, which the camera takes once it has come.

    While it waits, which is nearly always, a camera then holds no buffer to write into.
    """

    def await_frame(self) -> bool:
        """Wait for the next frame; the next ``read`` of the source gives it, at once.

        Returns:
            Whether it has come; otherwise ``read`` tells the reason, or that the source has ended.

        Raises:
            CameraError: the source is not open.
        """
