"""Routes of the page.

::

    /  /events  /status  /zones/CAMERA      views, each also as its parts below /parts/...
    /stream?camera=NAME  /live/NAME.mjpeg   pictures
    /snapshots/CAMERA/NAME  /clips/...      stored pictures and videos of objects, /watch/... with a player
    /thresholds                             POST: values of sliders
    /start  /start/...                      first configuration, see edgeagent.web.first_visit
    /sign-in  /sign-out  /errors            writes: of this page only, short, and limited in their rate
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from edgeagent.errors import ConfigurationError
from edgeagent.settings.sections.web import WebSettings
from edgeagent.timing.rate_limit import RateLimit
from edgeagent.timing.repeat_limit import RepeatLimit
from edgeagent.web.access import Access, Asgi, client_of, cookie_name, cookie_of, is_encrypted
from edgeagent.web.device_record import DeviceRecord
from edgeagent.web.first_visit import FirstVisit
from edgeagent.web.object_files import ObjectFiles
from edgeagent.web.page_facts import THRESHOLDS, PageFacts, SettingsEditor
from edgeagent.web.request_body import read_form, read_json_body
from edgeagent.web.sessions import BYTES, Sessions, Visitor
from edgeagent.web.sign_in import Credentials, SignInLimit
from edgeagent.web.static_files import StaticFiles
from edgeagent.web.streams import PictureStream
from edgeagent.web.viewers import Viewers
from edgeagent.web.views.clip import write_clip
from edgeagent.web.views.events import write_events
from edgeagent.web.views.layout import VIEWS, Page, write_document
from edgeagent.web.views.live import write_live
from edgeagent.web.views.sign_in_form import write_sign_in
from edgeagent.web.views.start import write_start
from edgeagent.web.views.status import write_status
from edgeagent.web.views.zones import write_zones

logger = logging.getLogger(__name__)

ERRORS_PER_S, ERRORS_BURST, LONGEST_ERROR = 0.5, 5.0, 500
WRITE_HEADER = "x-csrf-token"
START = ("start", "/start", "Set up")
MODULES = {"live": ("live.js",), "start": ("start.js",)}
"""JavaScript of the views; of all others that of curves."""


class PageApplication:
    """ASGI application of the page; used by one event loop.

    Args:
        settings: of the page.
        facts: what it shows beside messages.
        record: messages.
        viewers: pictures.
        editor: changes settings; None where the page only shows them.

    Attributes:
        application: for an ASGI server.
        facts, editor: as given; replaced when the settings change.

    Raises:
        ConfigurationError: a password or token cannot be read.
    """

    def __init__(
        self,
        settings: WebSettings,
        facts: PageFacts,
        record: DeviceRecord,
        viewers: Viewers,
        editor: SettingsEditor | None = None,
    ) -> None:
        self._settings, self.facts, self._record = settings, facts, record
        self._viewers, self.editor = viewers, editor
        self._credentials = Credentials(settings) if settings.protected else None
        self._sessions, self._limit = Sessions(settings.session), SignInLimit()
        self._files, self._cookie = StaticFiles(), cookie_name(settings)
        self._errors, self._repeats = RateLimit(ERRORS_PER_S, ERRORS_BURST), RepeatLimit()
        self._views: dict[str, Callable[[], str]] = {
            "live": lambda: write_live(self.facts, record.sight(), self.editor is not None),
            "events": lambda: write_events(
                record.sight(), self.facts.snapshots is not None, self.facts.tracked
            ),
            "status": lambda: write_status(record.sight(), self.facts.broker),
            "start": lambda: write_start(self.facts, record.sight(), self.editor is not None),
        }
        self._object_files = ObjectFiles(lambda: self.facts)
        first_visit = FirstVisit(self._check_json_write, lambda: self.facts, lambda: self.editor)
        routes = [
            *(Route(place, self._view(name, label)) for name, place, label in (*VIEWS, START)),
            *first_visit.routes,
            *(Route(f"/parts/{name}", self._parts(name)) for name in self._views),
            Route("/zones/{camera}", self._zones),
            Route("/zones/{camera}", self._save_zones, methods=["POST"]),
            Route("/stream", self._stream),
            Route("/live/{camera}.mjpeg", self._mjpeg),
            *self._object_files.routes,
            Route("/watch/{camera}/{name}", self._watch_clip),
            Route("/thresholds", self._set_thresholds, methods=["POST"]),
            Route("/static/{version}/{name}", self._files.answer),
            Route("/sign-in", self._ask),
            Route("/sign-in", self._sign_in, methods=["POST"]),
            Route("/sign-out", self._sign_out, methods=["POST"]),
            Route("/errors", self._script_error, methods=["POST"]),
        ]
        inner = Starlette(
            routes=routes, exception_handlers={HTTPException: self._refused, Exception: self._fault}
        )
        anyone = Visitor(None, secrets.token_urlsafe(BYTES))
        self.application: Asgi = Access(inner, settings, self._credentials, self._sessions, anyone)

    # Views

    def _view(self, name: str, title: str) -> Callable[[Request], Response]:
        modules = MODULES.get(name, ("spark-line.js",))

        def answer(request: Request) -> Response:
            page = Page(name, title, self._views[name](), modules, refreshes=name in ("events", "status"))
            return self._page(page, _visitor(request))

        return answer

    def _parts(self, name: str) -> Callable[[Request], Response]:
        def answer(_: Request) -> Response:
            return HTMLResponse(self._views[name]())

        return answer

    def _zones(self, request: Request) -> Response:
        camera = self.facts.camera(request.path_params["camera"])
        if camera is None:
            raise HTTPException(404, "There is no such camera.")
        content = write_zones(camera, self.editor is not None)
        page = Page("zones", f"Zones of {camera.name}", content, ("live.js", "zone-editor.js"))
        return self._page(page, _visitor(request))

    def _page(self, page: Page, visitor: Visitor | None) -> Response:
        return HTMLResponse(write_document(page, self.facts.device, self._files, visitor))

    # Pictures

    async def _stream(self, request: Request) -> Response | PictureStream:
        asked = request.query_params.getlist("camera")
        cameras = tuple(dict.fromkeys(name for name in asked if self.facts.camera(name) is not None))
        if not cameras:
            raise HTTPException(404, "There is no such camera.")
        return self._watch(request, cameras)

    async def _mjpeg(self, request: Request) -> Response | PictureStream:
        name = request.path_params["camera"]
        if self.facts.camera(name) is None:
            raise HTTPException(404, "There is no such camera.")
        return self._watch(request, (name,), multipart=True)

    def _watch(self, request: Request, cameras: tuple[str, ...], multipart: bool = False) -> PictureStream:
        if self._viewers.full:
            most = self._settings.viewers
            raise HTTPException(503, f"{most} people watch already; try again later.", {"Retry-After": "5"})
        visitor = _visitor(request)
        assert visitor is not None  # noqa: S101 (Access lets nobody else through)
        return PictureStream(self._viewers, cameras, lambda: self._sessions.open(visitor), multipart)

    def _watch_clip(self, request: Request) -> Response:
        camera, name = request.path_params["camera"], request.path_params["name"]
        self._object_files.clip(camera, name)
        page = Page("clip", f"Clip of {camera}", write_clip(camera, name, self.facts.snapshots is not None))
        return self._page(page, _visitor(request))

    # Sign-in

    def _ask(self, request: Request) -> Response:
        if self._credentials is None or _visitor(request) is not None:
            return RedirectResponse("/", 303)
        return self._sign_in_page(request.query_params.get("next", "/"))

    def _sign_in_page(self, following: str, error: str | None = None, status: int = 200) -> Response:
        by_password = self._credentials is not None and self._credentials.by_password
        content = write_sign_in(self.facts.device, _local(following), by_password, error)
        response = self._page(Page("sign-in", "Sign in", content), None)
        response.status_code = status
        return response

    async def _sign_in(self, request: Request) -> Response:
        if self._credentials is None:
            return RedirectResponse("/", 303)
        address = client_of(request.scope, request.headers)
        form = await read_form(request)
        following = form.get("next", "/")
        wait_s = self._limit.wait_s(address)
        if wait_s > 0:
            response = self._sign_in_page(following, f"Too many tries. Try again in {wait_s:.0f} s.", 429)
            response.headers["Retry-After"] = str(round(wait_s + 0.5))
            return response
        user = await self._credentials.check(form.get("user", ""), form.get("password", ""))
        if user is None:
            self._limit.failed(address)
            logger.warning("live page: somebody at %s could not sign in", address)
            return self._sign_in_page(following, "User or password are wrong.", 403)
        self._limit.worked(address)
        logger.info("live page: %s signed in from %s", user, address)
        response = RedirectResponse(_local(following), 303)
        response.set_cookie(
            self._cookie,
            self._sessions.begin(user),
            max_age=round(self._settings.session),
            httponly=True,
            samesite="strict",
            secure=is_encrypted(request.scope, request.headers),
        )
        return response

    async def _sign_out(self, request: Request) -> Response:
        form = await read_form(request)
        self._check_write(request, form.get("csrf", ""))
        token = cookie_of(request.headers, self._cookie)
        if token is not None:
            self._sessions.end(token)
        response = RedirectResponse("/", 303)
        response.delete_cookie(self._cookie, httponly=True, samesite="strict")
        return response

    # Writes

    def _check_write(self, request: Request, csrf: str) -> Visitor:
        visitor = _visitor(request)
        if visitor is None or not visitor.may_write(csrf):
            raise HTTPException(403, "This page is too old. Load it again.")
        return visitor

    def _check_json_write(self, request: Request) -> Visitor:
        return self._check_write(request, request.headers.get(WRITE_HEADER, ""))

    async def _save_zones(self, request: Request) -> Response:
        visitor = self._check_json_write(request)
        camera = request.path_params["camera"]
        if self.editor is None or self.facts.camera(camera) is None:
            raise HTTPException(404, "Zones of this camera cannot be saved here.")
        zones = (await read_json_body(request)).get("zones")
        if not isinstance(zones, list) or not all(isinstance(zone, dict) for zone in zones):
            raise HTTPException(400, "Expected a list of zones.")
        try:
            self.editor.save_zones(camera, zones, visitor.user or "somebody on this machine")
        except ConfigurationError as error:
            raise HTTPException(422, str(error)) from error
        return JSONResponse({"saved": True})

    async def _set_thresholds(self, request: Request) -> Response:
        visitor = self._check_json_write(request)
        values = await read_json_body(request)
        if self.editor is None:
            raise HTTPException(404, "Thresholds cannot be changed here.")
        if not values or not all(key in THRESHOLDS for key in values):
            raise HTTPException(400, f"Expected values of {', '.join(THRESHOLDS)}.")
        try:
            self.editor.set_keys(values, visitor.user or "somebody on this machine")
        except ConfigurationError as error:
            raise HTTPException(422, str(error)) from error
        return JSONResponse({"saved": True})

    async def _script_error(self, request: Request) -> Response:
        self._check_json_write(request)
        report = await read_json_body(request)
        if self._errors.allows(time.monotonic_ns()):
            told = json.dumps(
                {name: str(report.get(name, ""))[:LONGEST_ERROR] for name in ("message", "where", "stack")}
            )
            logger.error("live page: an error in the browser: %s", told)
        return Response(status_code=204)

    # Errors

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 (registered for it)
        return PlainTextResponse(f"{error.detail}\n", error.status_code, error.headers)

    async def _fault(self, _: Request, error: Exception) -> Response:
        if self._repeats.allows(type(error).__name__, time.monotonic()):
            logger.error("live page: a request failed; report this as a bug of edgeagent", exc_info=error)
        return PlainTextResponse("This failed; the log of the device has the reason.\n", 500)


def _visitor(request: Request) -> Visitor | None:
    visitor: Visitor | None = request.scope["state"]["visitor"]
    return visitor


def _local(path: str) -> str:
    """Return a path of this page; that of the first view where it is none."""
    known = {place for _, place, _ in (*VIEWS, START)}
    return path if path in known else "/"
