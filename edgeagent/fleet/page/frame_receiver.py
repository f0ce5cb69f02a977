"""Receiver of hard frames: ``PUT /upload/DEVICE/CAMERA/TIME.json``, then ``.jpg``, with a tenant's token.

It is apart from page and API: no session and no API token opens it, and its tokens open nothing else.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from edgeagent.errors import DataError, EdgeagentError
from edgeagent.fleet.frames.frame_archive import (
    MOST_NOTES,
    NOTES,
    FrameArchive,
    FrameTakenError,
    QuotaFullError,
)
from edgeagent.fleet.frames.frame_key import FrameKey
from edgeagent.fleet.frames.received_picture import MOST_PICTURE
from edgeagent.fleet.page.body_memory import BodyMemory, BodyMemoryFullError, BodyShare
from edgeagent.fleet.page.request_limit import RequestLimit
from edgeagent.fleet.users.upload_tokens import UploadTokens
from edgeagent.web.access import Receive, Scope, Send, client_of
from edgeagent.web.sign_in import address_group

UPLOAD = "/upload/"
PLACE = re.compile(r"/upload/([^/]+)/([^/]+)/([0-9.]+?)(\.json|\.jpg)")
BODY_S = 60.0
AGAIN = {"Retry-After": "5", "Connection": "close"}
AT_ONCE = 2
"""Pictures that are decoded at once, as each takes memory: one of a tenant."""


class FrameReceiver:
    """ASGI application of uploads; used by one event loop.

    Args:
        archive: keeps the frames; None takes none.
        tokens: of the tenants.
        limit: of requests by address.
        memory: of the files that are on their way; None is the default.
    """

    def __init__(
        self,
        archive: FrameArchive | None,
        tokens: UploadTokens,
        limit: RequestLimit,
        memory: BodyMemory | None = None,
    ) -> None:
        self._archive, self._tokens, self._limit = archive, tokens, limit
        self._memory = memory or BodyMemory()
        self._decoding = asyncio.Semaphore(AT_ONCE)
        self._of_tenant: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(1))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        response = await self._answer(Request(scope, receive))
        response.headers["x-content-type-options"] = "nosniff"
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        address = address_group(client_of(request.scope, Headers(scope=request.scope)))
        if not self._limit.allows(f"upload {address}"):
            return _told(429, "Too many requests; send less often.", {"Retry-After": "1"})
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        tenant = self._tokens.tenant_of(token.strip()) if scheme.lower() == "bearer" else None
        if tenant is None:
            return _told(
                401, "Send a token of `edgeagent fleet upload-token`.", {"WWW-Authenticate": "Bearer"}
            )
        if self._archive is None:
            return _told(503, "This server keeps no frames; it is started without --frames.")
        if request.method != "PUT":
            return _told(405, "Use PUT.", {"Allow": "PUT"})
        place = PLACE.fullmatch(request.scope["path"])
        if place is None:
            return _told(404, "Expected /upload/DEVICE/CAMERA/TIME.json or .jpg.")
        device, camera, stem, suffix = place.groups()
        try:
            key = FrameKey.checked(tenant, device, camera, stem)
            with self._memory.body(tenant) as share:
                response = await self._take(request, self._archive, key, suffix, share)
        except BodyMemoryFullError:
            return _told(503, "Too many files are on their way; send it again later.", AGAIN)
        except (asyncio.TimeoutError, ClientDisconnect):
            return _told(408, f"The file did not arrive within {BODY_S:g} s.", {"Connection": "close"})
        except FrameTakenError as error:
            return _told(409, f"{error}.")
        except QuotaFullError as error:
            return _told(507, f"{error}.")
        except DataError as error:
            return _told(422, f"{error}.")
        except EdgeagentError:
            return _told(503, "The frame cannot be stored now; send it again later.", {"Retry-After": "60"})
        return response

    async def _take(
        self, request: Request, archive: FrameArchive, key: FrameKey, suffix: str, share: BodyShare
    ) -> Response:
        content = await _body(request, MOST_NOTES if suffix == NOTES else MOST_PICTURE, share)
        if content is None:
            if suffix != NOTES:
                await run_in_threadpool(archive.refuse_picture, key)
            return _told(413, "The file is too large.", {"Connection": "close"})
        if suffix == NOTES:
            await run_in_threadpool(archive.put_notes, key, content)
        else:
            async with self._of_tenant[key.tenant], self._decoding:
                await run_in_threadpool(archive.put_picture, key, content)
        return Response(status_code=201)


async def _body(request: Request, most: int, share: BodyShare) -> bytes | None:
    """Return the body; None where it is longer than ``most``."""

    async def read() -> bytes | None:
        content = bytearray()  # a list of parts of a byte each would take many times as much
        async for part in request.stream():
            if len(content) + len(part) > most:
                return None
            share.grow(len(part))
            content += part
        return bytes(content)

    return await asyncio.wait_for(read(), BODY_S)


def _told(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{reason}\n", status, headers)
