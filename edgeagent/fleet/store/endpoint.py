"""HTTP interface of ClickHouse in front of the embedded engine, at a Unix socket of the store's folder.

So the process that has the folder open serves all others: ingest workers, the page, ``edgeagent fleet
query``. They use the client of a ClickHouse server, and cannot tell the difference. Only the owner of the
folder may connect. What the interface understands is the part of https://clickhouse.com/docs/interfaces/http
that clickhouse-connect uses: the statement in the body or in ``query``, ``param_<name>``, ``default_format``,
``readonly``; data of an insertion in the body.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import socket
import threading
import uuid
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from edgeagent.fleet.store.embedded import EmbeddedStore
from edgeagent.fleet.store.protocol import StoreError
from edgeagent.timing.guarded_thread import GuardedThread

logger = logging.getLogger(__name__)

SOCKET = "store.sock"
"""File name of the socket in the folder of a store."""
LONGEST_PATH = 107
"""Bytes of the path of a Unix socket at most (unix(7))."""
LARGEST_BODY = 256 * 1024 * 1024
_INSERT = re.compile(
    r"\s*INSERT\s+INTO\s+`?(\w+)`?\s*(?:\([^)]*\))?\s*FORMAT\s+JSONEachRow\s*", re.IGNORECASE
)


class StoreEndpoint:
    """Interface to one store.

    Args:
        store: open store.
    """

    def __init__(self, store: EmbeddedStore) -> None:
        self._store = store
        self.application = Starlette(
            routes=[
                Route("/ping", self._ping, methods=["GET", "HEAD"]),
                Route("/", self._answer, methods=["GET", "POST"]),
            ]
        )

    async def _ping(self, request: Request) -> Response:
        return PlainTextResponse("Ok.\n")

    async def _answer(self, request: Request) -> Response:
        given = dict(request.query_params)
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > LARGEST_BODY:
                return PlainTextResponse(f"Code: 116. more than {LARGEST_BODY} bytes", status_code=413)
        try:
            answer = await run_in_threadpool(self._statement, given, bytes(body))
        except StoreError as error:
            headers = {"X-ClickHouse-Exception-Code": str(error.code)} if error.code else {}
            return PlainTextResponse(str(error), status_code=500, headers=headers)
        identity = given.get("query_id", str(uuid.uuid4()))
        summary = json.dumps({"read_rows": "0", "written_rows": "0"})
        headers = {
            "X-ClickHouse-Query-Id": identity,
            "X-ClickHouse-Summary": summary,
            "X-ClickHouse-Timezone": "UTC",
        }
        return Response(answer, media_type="application/octet-stream", headers=headers)

    def _statement(self, given: dict[str, str], body: bytes) -> bytes:
        parameters = {
            name.removeprefix("param_"): text for name, text in given.items() if name[:6] == "param_"
        }
        form = given.get("default_format", "TabSeparated")
        statement = given.get("query", "")
        if statement and (found := _INSERT.fullmatch(statement)) is not None:
            self._store.insert_lines(found.group(1), body)
            return b""
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise StoreError("Code: 62. the statement is not UTF-8") from None
        sql = f"{statement}\n{text}" if statement else text
        return self._store.answer(sql, form, parameters, writes=given.get("readonly", "0") == "0")


class ServedStore:
    """The interface at the socket of a store's folder, in a thread with its own event loop.

    Args:
        store: open store.

    Raises:
        StoreError: the path of the socket is too long, or the socket cannot be made.
    """

    def __init__(self, store: EmbeddedStore) -> None:
        self.path = socket_path(store.folder)
        self._listening = _listen(self.path)
        self._made = _identity(self.path)
        self._server = uvicorn.Server(
            uvicorn.Config(
                StoreEndpoint(store).application,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=10,
            )
        )
        self._stopping = threading.Event()
        self._thread = GuardedThread(self._run, "store endpoint")

    def start(self) -> None:
        """Start to answer."""
        self._thread.start()

    @property
    def reachable(self) -> bool:
        """Whether the socket is still at its path: nobody finds it once it, or the folder, was removed."""
        return _identity(self.path) == self._made

    def stop(self) -> None:
        """Answer what is asked already, and close the socket."""
        self._stopping.set()
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(15)
        self._listening.close()
        if self.reachable:
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._listening]))
        if not self._stopping.is_set():
            raise RuntimeError("the interface of the store ended by itself")


def socket_path(folder: Path) -> Path:
    """Return the path of the socket of a store.

    Raises:
        StoreError: it is too long.
    """
    path = folder.absolute() / SOCKET
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise StoreError(f"{path}: longer than {LONGEST_PATH} bytes; choose a folder with a shorter path")
    return path


def _identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file; None where there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _listen(path: Path) -> socket.socket:
    """Return a listening socket; one that a killed process has left is replaced: the folder is locked."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            listening.bind(str(path))
        finally:
            os.umask(before)
        listening.listen(64)
    except OSError as error:
        listening.close()
        raise StoreError(f"{path}: the socket cannot be made ({error.strerror})") from None
    return listening
