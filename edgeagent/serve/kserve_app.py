"""Routes of KServe v2 over HTTP.

::

    POST infer --MOST_READ are being read--> 503
         |-----longer than the longest request--> 413      |--READ_S without its end--> 408
         |-----malformed, or not the input of the bundle--> 400
         +-----picture--> InferenceQueue --> 200, or 503 while too many wait or no engine serves

Errors are the protocol's: ``{"error": "..."}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edgeagent.bundle.manifest import Manifest
from edgeagent.errors import EdgeagentError
from edgeagent.serve.errors import BadRequestError, NotNowError
from edgeagent.serve.inference_queue import Answer, InferenceQueue
from edgeagent.serve.kserve_messages import (
    LENGTH_OF_JSON,
    InferRequest,
    encode_answer,
    longest_body,
    model_metadata,
    read_request,
    server_metadata,
)
from edgeagent.serve.request_counts import RequestCounts

logger = logging.getLogger(__name__)

MOST_READ = 16
READ_S = 10.0
RETRY_AFTER, CLOSE = {"Retry-After": "1"}, {"Connection": "close"}


class KserveApp:
    """ASGI application with one model.

    Args:
        manifest: of the bundle that is served; its name and version are those of the model.
        queue: takes the pictures.
        serves: whether an engine serves now.

    Attributes:
        application: for an ASGI server.
        counts: of requests for detections; only the thread of the server writes them.
    """

    def __init__(self, manifest: Manifest, queue: InferenceQueue, serves: Callable[[], bool]) -> None:
        self._manifest, self._queue, self._serves = manifest, queue, serves
        self._being_read = 0
        self.counts = RequestCounts("KServe")
        model, version = "/v2/models/{name}", "/v2/models/{name}/versions/{version}"
        routes = [
            Route("/v2", self._server),
            Route("/v2/health/live", self._live),
            Route("/v2/health/ready", self._ready),
            *(Route(place, self._model) for place in (model, version)),
            *(Route(f"{place}/ready", self._model_ready) for place in (model, version)),
            *(Route(f"{place}/infer", self._infer, methods=["POST"]) for place in (model, version)),
        ]
        self.application = Starlette(
            routes=routes, exception_handlers={HTTPException: self._http_error, Exception: self._fault}
        )

    async def _server(self, _: Request) -> Response:
        return JSONResponse(server_metadata())

    async def _live(self, _: Request) -> Response:
        return JSONResponse({"live": True})

    async def _ready(self, _: Request) -> Response:
        ready = self._serves()
        return JSONResponse({"ready": ready}, 200 if ready else 503)

    async def _model(self, request: Request) -> Response:
        self._check_model(request)
        return JSONResponse(model_metadata(self._manifest))

    async def _model_ready(self, request: Request) -> Response:
        self._check_model(request)
        ready = self._serves()
        return JSONResponse({"name": self._manifest.name, "ready": ready}, 200 if ready else 503)

    async def _infer(self, request: Request) -> Response:
        arrived_ns = time.monotonic_ns()
        try:
            self._check_model(request)
            asked = await self._read(request)
            answer = await self._detect(asked)
            if isinstance(answer, EdgeagentError):
                raise HTTPException(503, str(answer), RETRY_AFTER)
        except HTTPException as error:
            self.counts.record("not now" if error.status_code == 503 else "refused")
            raise
        body, length_of_json = encode_answer(self._manifest, asked, answer)
        self.counts.record("answered", time.monotonic_ns() - arrived_ns)
        if length_of_json is None:
            return Response(body, media_type="application/json")
        return Response(
            body, headers={LENGTH_OF_JSON: str(length_of_json)}, media_type="application/octet-stream"
        )

    async def _read(self, request: Request) -> InferRequest:
        """Receive a request and read it."""
        if request.headers.get("content-encoding", "identity") != "identity":
            raise HTTPException(415, "compressed requests are not taken; send the body as it is")
        if self._being_read >= MOST_READ:
            raise HTTPException(503, f"{MOST_READ} requests are being received", RETRY_AFTER)
        self._being_read += 1
        try:
            body = await asyncio.wait_for(self._body(request), READ_S)
        except asyncio.TimeoutError as error:
            raise HTTPException(408, f"the request did not arrive within {READ_S:g} s", CLOSE) from error
        except ClientDisconnect as error:
            raise HTTPException(400, "the client went before its request was complete") from error
        finally:
            self._being_read -= 1
        length_of_json = request.headers.get(LENGTH_OF_JSON)
        spec = self._manifest.input
        try:
            if length_of_json is not None:
                return read_request(body, length_of_json, spec)
            # numbers as text take tens of milliseconds, in which other requests are to be answered
            return await asyncio.to_thread(read_request, body, None, spec)
        except BadRequestError as error:
            raise HTTPException(400, str(error)) from error

    async def _body(self, request: Request) -> bytes:
        longest, parts, size = longest_body(self._manifest.input), [], 0
        async for part in request.stream():
            size += len(part)
            if size > longest:
                raise HTTPException(413, f"the request is longer than {longest} bytes", CLOSE)
            parts.append(part)
        return b"".join(parts)

    async def _detect(self, asked: InferRequest) -> Answer:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()

        def put(answer: Answer) -> None:
            if not future.done():  # cancelled, as the server ends
                future.set_result(answer)

        def deliver(answer: Answer) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and with it the connection
                loop.call_soon_threadsafe(put, answer)

        try:
            self._queue.submit(asked.picture, deliver)
        except NotNowError as error:
            return error
        try:
            return await future
        except asyncio.CancelledError:  # by the server, which ends and waits no longer
            return NotNowError("the server ends")

    def _check_model(self, request: Request) -> None:
        name, version = request.path_params["name"], request.path_params.get("version")
        served = self._manifest
        if name != served.name or version not in (None, served.version):
            raise HTTPException(404, f"there is no such model; {served.name} {served.version} is served")

    async def _http_error(self, _: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  (registered for it)
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    async def _fault(self, _: Request, error: Exception) -> Response:
        logger.error("a request failed; report this as a bug of edgeagent", exc_info=error)
        return JSONResponse({"error": "internal error; the log has the reason"}, 500)
