"""Pictures of the last published detections, which wait for a judgement."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from edgeagent.events.hard_frame_notes import SeenFrame
from edgeagent.imaging.polygon import Point


@dataclass(frozen=True, slots=True)
class RecentPicture:
    """A frame without its image, and its JPEG.

    Attributes:
        seen: the frame, without its image.
        jpeg: of the image, without what is private.
        hidden: corners of the regions that are hidden in it, in shares of the picture.
    """

    seen: SeenFrame
    jpeg: bytes
    hidden: tuple[tuple[Point, ...], ...]


class RecentPictures:
    """The last pictures; used by one thread.

    Args:
        most: number of pictures; the oldest goes first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._pictures: OrderedDict[tuple[str, int], RecentPicture] = OrderedDict()

    def add(self, camera: str, sequence: int, picture: RecentPicture) -> None:
        """Remember a picture."""
        self._pictures[camera, sequence] = picture
        while len(self._pictures) > self._most:
            self._pictures.popitem(last=False)

    def take(self, camera: str, sequence: int) -> RecentPicture | None:
        """Return a picture and forget it; None where it is not remembered."""
        return self._pictures.pop((camera, sequence), None)
