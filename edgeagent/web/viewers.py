"""Newest picture of each camera, and those who watch; all of it in the event loop of the page but the count.

::

    encoder --put--> newest picture of the camera --event of each viewer--> viewer takes what it has not seen

A viewer that is slower than the pictures skips some, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """Picture with what was found in it.

    Attributes:
        camera: its name.
        number: of the picture, from 1 on.
        about: JSON of the objects in this picture (docs/live-page.md).
        jpeg: encoded picture; empty where it could not be encoded.
    """

    camera: str
    number: int
    about: bytes
    jpeg: bytes


class Watched:
    """Number of viewers of each camera; read by the frame path without a lock."""

    def __init__(self) -> None:
        self._viewers: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._cameras: frozenset[str] = frozenset()

    def __contains__(self, camera: object) -> bool:
        return camera in self._cameras

    @property
    def anything(self) -> bool:
        """Whether any camera is watched."""
        return bool(self._cameras)

    def add(self, cameras: Iterable[str]) -> None:
        """Count a viewer of cameras."""
        with self._lock:
            self._viewers.update(cameras)
            self._cameras = frozenset(self._viewers)

    def remove(self, cameras: Iterable[str]) -> None:
        """Count a viewer less."""
        with self._lock:
            self._viewers.subtract(cameras)
            self._viewers = +self._viewers
            self._cameras = frozenset(self._viewers)


@dataclass(eq=False, slots=True)
class Viewer:
    """Somebody who watches cameras.

    Attributes:
        cameras: names of the cameras.
    """

    cameras: tuple[str, ...]
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _seen: dict[str, int] = field(default_factory=dict)

    def tell(self) -> None:
        """Wake the viewer, as there is a new picture."""
        self._news.set()

    async def wait(self, timeout_s: float) -> None:
        """Wait for news, up to ``timeout_s`` seconds."""
        try:
            await asyncio.wait_for(self._news.wait(), timeout_s)
        except asyncio.TimeoutError:
            return
        self._news.clear()

    def new(self, camera: str, picture: EncodedPicture | None) -> bool:
        """Return whether a picture is newer than the last one seen, and take it as seen."""
        if picture is None or self._seen.get(camera, 0) >= picture.number:
            return False
        self._seen[camera] = picture.number
        return True


class Viewers:
    """All viewers, and the newest picture of each camera.

    Args:
        watched: count of viewers that the frame path reads.
        most: most viewers at the same time.
    """

    def __init__(self, watched: Watched, most: int) -> None:
        self._watched, self._most = watched, most
        self._viewers: set[Viewer] = set()
        self._newest: dict[str, EncodedPicture] = {}

    def __len__(self) -> int:
        return len(self._viewers)

    @property
    def full(self) -> bool:
        """Whether there are as many viewers as may be."""
        return len(self._viewers) >= self._most

    def put(self, picture: EncodedPicture) -> None:
        """Keep a picture that is new, and wake the viewers of its camera."""
        if picture.camera not in self._watched:
            return
        self._newest[picture.camera] = picture
        for viewer in self._viewers:
            if picture.camera in viewer.cameras:
                viewer.tell()

    def add(self, cameras: tuple[str, ...]) -> Viewer:
        """Return a new viewer of cameras."""
        viewer = Viewer(cameras)
        self._viewers.add(viewer)
        self._watched.add(cameras)
        return viewer

    def remove(self, viewer: Viewer) -> None:
        """Forget a viewer, and the pictures that nobody watches any more."""
        self._viewers.discard(viewer)
        self._watched.remove(viewer.cameras)
        for camera in [camera for camera in self._newest if camera not in self._watched]:
            del self._newest[camera]

    def clear(self) -> None:
        """Forget all viewers, as the loop has ended."""
        for viewer in tuple(self._viewers):
            self.remove(viewer)

    def unseen(self, viewer: Viewer) -> list[EncodedPicture]:
        """Return the pictures that a viewer has not seen, and take them as seen."""
        found = [(camera, self._newest.get(camera)) for camera in viewer.cameras]
        return [picture for camera, picture in found if viewer.new(camera, picture) and picture is not None]
