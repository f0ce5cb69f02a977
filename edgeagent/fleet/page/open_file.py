"""Answer from an open file, which needs no name: nothing is left on the disk, however the answer ends."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import IO

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from edgeagent.web.access import Receive, Scope, Send

logger = logging.getLogger(__name__)

PART = 65_536
STALL_S = 60.0
"""Longest time that a client may take none of the answer."""


class OpenFileResponse(Response):
    """Content of an open file, which is closed at the end.

    Args:
        file: at its start.
        name: under which a browser saves it.
        media_type: of the content.
        stall_s: seconds without progress after which the answer ends.
    """

    def __init__(self, file: IO[bytes], name: str, media_type: str, stall_s: float = STALL_S) -> None:
        super().__init__(media_type=media_type)
        self._file, self._stall_s = file, stall_s
        self.headers["content-length"] = str(os.fstat(file.fileno()).st_size)
        self.headers["content-disposition"] = f'attachment; filename="{name}"'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file."""
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            while part := await run_in_threadpool(self._file.read, PART):
                message = {"type": "http.response.body", "body": part, "more_body": True}
                await asyncio.wait_for(send(message), self._stall_s)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except asyncio.TimeoutError:
            logger.warning("an export ends early: nothing of it was taken for %g s", self._stall_s)
        finally:
            self._file.close()
