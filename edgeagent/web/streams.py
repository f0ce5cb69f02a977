"""Streams of live pictures: records for the page, and MJPEG for browsers without JavaScript and for programs.

A record is ``uint32 length of JSON, uint32 length of JPEG`` (big endian), the JSON, the JPEG. The JSON tells
what is in this very picture. A record without both is sent every :data:`ALIVE_S` seconds in which there is no
picture, so that a page notices when a proxy has lost its server.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

from edgeagent.web.access import Receive, Scope, Send
from edgeagent.web.viewers import EncodedPicture, Viewer, Viewers

ALIVE_S = 3.0
BOUNDARY = "picture"
HEADERS = [(b"x-accel-buffering", b"no"), (b"connection", b"close")]
NEXT = f"\r\n--{BOUNDARY}\r\n".encode()
NOTHING = struct.pack(">II", 0, 0)


class PictureStream:
    """Answer that lasts until the client goes, or its session ends.

    Args:
        viewers: source of pictures.
        cameras: names of the cameras.
        valid: returns whether the session lasts.
        multipart: whether this is MJPEG.
    """

    def __init__(
        self, viewers: Viewers, cameras: tuple[str, ...], valid: Callable[[], bool], multipart: bool = False
    ) -> None:
        self._viewers, self._cameras, self._valid = viewers, cameras, valid
        self._multipart = multipart

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send pictures until the client has gone."""
        kind = (
            f"multipart/x-mixed-replace; boundary={BOUNDARY}"
            if self._multipart
            else "application/octet-stream"
        )
        headers = [(b"content-type", kind.encode()), *HEADERS]
        viewer = self._viewers.add(self._cameras)
        gone = asyncio.ensure_future(_until_gone(receive))
        gone.add_done_callback(lambda _: viewer.tell())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            if self._multipart:
                await send({"type": "http.response.body", "body": NEXT[2:], "more_body": True})
            while not gone.done() and self._valid():
                await self._send_news(viewer, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except ConnectionError:  # it reads nothing, or has gone
            return
        finally:
            gone.cancel()
            self._viewers.remove(viewer)

    async def _send_news(self, viewer: Viewer, send: Send) -> None:
        await viewer.wait(ALIVE_S)
        pictures = self._viewers.unseen(viewer)
        for picture in pictures:
            body = _part(picture) if self._multipart else _record(picture)
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": True})
        if not pictures and not self._multipart:
            await send({"type": "http.response.body", "body": NOTHING, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _record(picture: EncodedPicture) -> bytes:
    return struct.pack(">II", len(picture.about), len(picture.jpeg)) + picture.about + picture.jpeg


def _part(picture: EncodedPicture) -> bytes:
    if not picture.jpeg:
        return b""
    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(picture.jpeg)}\r\n\r\n"
    return head.encode() + picture.jpeg + NEXT  # the end is sent with it: a browser shows what has ended
