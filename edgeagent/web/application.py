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

import secrets
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from edgeagent.errors import ConfigurationError
from edgeagent.settings.sections.web import WebSettings
from edgeagent.web.access import Access, Asgi
from edgeagent.web.device_record import DeviceRecord
from edgeagent.web.first_visit import FirstVisit
from edgeagent.web.object_files import ObjectFiles
from edgeagent.web.page_facts import THRESHOLDS, PageFacts, SettingsEditor
from edgeagent.web.request_body import read_json_body
from edgeagent.web.sessions import BYTES, Sessions, Visitor
from edgeagent.web.sign_in import Credentials
from edgeagent.web.sign_in_pages import WRITE_HEADER, SignInPages, SignInText, check_write, visitor_of
from edgeagent.web.static_files import StaticFiles
from edgeagent.web.streams import PictureStream
from edgeagent.web.viewers import Viewers
from edgeagent.web.views.clip import write_clip
from edgeagent.web.views.events import write_events
from edgeagent.web.views.layout import VIEWS, Page, write_document
from edgeagent.web.views.live import write_live
from edgeagent.web.views.start import write_start
from edgeagent.web.views.status import write_status
from edgeagent.web.views.zones import write_zones

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
        credentials = Credentials(settings) if settings.protected else None
        self._sessions, self._files = Sessions(settings.session), StaticFiles()
        places = tuple(place for _, place, _ in (*VIEWS, START))
        wording = SignInText(facts.device)
        pages = SignInPages(settings, credentials, self._sessions, self._page, wording, places)
        self._views: dict[str, Callable[[], str]] = {
            "live": lambda: write_live(self.facts, record.sight(), self.editor is not None),
            "events": lambda: write_events(
                record.sight(), self.facts.snapshots is not None, self.facts.tracked
            ),
            "status": lambda: write_status(record.sight(), self.facts.broker),
            "start": lambda: write_start(self.facts, record.sight(), self.editor is not None),
        }
        self._object_files = ObjectFiles(lambda: self.facts)
        first_visit = FirstVisit(_check_json_write, lambda: self.facts, lambda: self.editor)
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
            *pages.routes,
        ]
        inner = Starlette(
            routes=routes, exception_handlers={HTTPException: pages.refused, Exception: pages.fault}
        )
        anyone = Visitor(None, secrets.token_urlsafe(BYTES))
        self.application: Asgi = Access(inner, settings, credentials, self._sessions, anyone)

    # Views

    def _view(self, name: str, title: str) -> Callable[[Request], Response]:
        modules = MODULES.get(name, ("spark-line.js",))

        def answer(request: Request) -> Response:
            content, parts = self._views[name](), f"/parts/{name}"
            page = Page(name, title, content, modules, refreshes=name in ("events", "status"), parts=parts)
            return self._page(page, visitor_of(request))

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
        return self._page(page, visitor_of(request))

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
        visitor = visitor_of(request)
        assert visitor is not None  # noqa: S101 (Access lets nobody else through)
        return PictureStream(self._viewers, cameras, lambda: self._sessions.open(visitor), multipart)

    def _watch_clip(self, request: Request) -> Response:
        camera, name = request.path_params["camera"], request.path_params["name"]
        self._object_files.clip(camera, name)
        page = Page("clip", f"Clip of {camera}", write_clip(camera, name, self.facts.snapshots is not None))
        return self._page(page, visitor_of(request))

    # Writes

    async def _save_zones(self, request: Request) -> Response:
        visitor = _check_json_write(request)
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
        visitor = _check_json_write(request)
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


def _check_json_write(request: Request) -> Visitor:
    return check_write(request, request.headers.get(WRITE_HEADER, ""))
