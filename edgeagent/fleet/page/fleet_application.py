"""Routes of the fleet's page and API.

::

    /  /devices  /devices/TENANT/NAME  /models  /compare  /rollouts  /alarms  /lost  /audit  /users   views
    /devices.csv  /models.csv  /alarms.csv  (or .parquet)                         the same lists as files
    /alarms/acknowledge  /devices/.../labels  /rollouts/change  /users/...        writes, by role
    /frames  /frames/...                                                          for operators
    /upload/DEVICE/CAMERA/TIME.json, .jpg                                         for devices, by token
    /api/v1/...  /metrics                                                         for programs
    /sign-in/oidc  /sign-in/oidc/callback                       with an identity provider
    /sign-in  /sign-out  /errors                                                  as on the page of a device
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from edgeagent.errors import EdgeagentError
from edgeagent.fleet.api.fleet_api import fleet_api
from edgeagent.fleet.api.fleet_metrics import FleetMetrics
from edgeagent.fleet.oidc.oidc_people import FleetPeople
from edgeagent.fleet.operations.acknowledgement import UnknownTargetError
from edgeagent.fleet.page.exports import FleetExports
from edgeagent.fleet.page.fleet_actions import FleetActions
from edgeagent.fleet.page.fleet_guard import FleetGuard, UserSessions, actor_of_request
from edgeagent.fleet.page.fleet_services import FleetServices
from edgeagent.fleet.page.fleet_views import FleetViews
from edgeagent.fleet.page.frame_pages import FramePages
from edgeagent.fleet.page.frame_receiver import UPLOAD, FrameReceiver
from edgeagent.fleet.page.oidc_pages import START, OidcPages
from edgeagent.fleet.page.request_limit import RequestLimit
from edgeagent.fleet.page.store_trouble import told_reason
from edgeagent.fleet.page.views.fleet_frame import PLACES
from edgeagent.fleet.users.actor import NOBODY, Actor
from edgeagent.fleet.users.fleet_credentials import FleetCredentials
from edgeagent.web.access import Asgi, Receive, Scope, Send
from edgeagent.web.sessions import Visitor
from edgeagent.web.sign_in_pages import SignInPages, SignInText, visitor_of
from edgeagent.web.static_files import StaticFiles
from edgeagent.web.views.layout import Page
from edgeagent.web.views.markup import icon, text

PARTS = "edgeagent.fleet.page.parts"
HINT = "Forgotten? An admin sets another: <code>edgeagent fleet users change NAME --password</code>."
API = "/api/v1"


class FleetApplication:
    """ASGI application of the page; used by one event loop.

    Args:
        services: that it works with.
        limit: of requests by visitor; None is the default.

    Attributes:
        application: for an ASGI server.

    Raises:
        ConfigurationError: argon2-cffi is not installed.
    """

    def __init__(self, services: FleetServices, limit: RequestLimit | None = None) -> None:
        self._services, files = services, StaticFiles(PARTS)
        credentials = FleetCredentials(services.users)
        people, provider = FleetPeople(services.users), services.oidc
        sessions = UserSessions(services.settings.session, people)
        self._views = FleetViews(services, files)
        other = None if provider is None else (START, provider.settings.label)
        wording = SignInText(services.settings.name, "fleet page", HINT, "the log of the server", other)
        pages = SignInPages(
            services.settings, credentials, sessions, self._document, wording, PLACES, self._signed_in
        )
        self._pages = pages
        api, port = fleet_api(services), services.settings.port
        routes = [
            *FleetExports(services).routes,
            *FleetActions(services, self._views).routes,
            *FramePages(services, self._views).routes,
            *self._views.routes,
            Route("/metrics", FleetMetrics(services.store).answer),
            Route("/static/{version}/{name}", files.answer),
            *(OidcPages(provider, people, pages, port, self._entered).routes if provider is not None else ()),
            *pages.routes,
            Mount(API, api),
        ]
        inner = Starlette(
            routes=routes,
            exception_handlers={
                HTTPException: self._refused,
                UnknownTargetError: self._unknown,
                EdgeagentError: self._unavailable,
                Exception: pages.fault,
            },
        )
        inner.state.openapi = api.openapi()
        limit = limit or RequestLimit()
        guard = FleetGuard(
            inner,
            services.settings,
            services.users,
            credentials,
            sessions,
            limit,
            people,
            provider is not None,
        )
        receiver = None
        if services.upload_tokens is not None:
            receiver = FrameReceiver(services.frames, services.upload_tokens, limit)
        self.application: Asgi = _apart(guard, receiver)

    def _document(self, page: Page, visitor: Visitor | None) -> Response:
        return self._views.document(page, visitor)

    def _signed_in(self, user: str, address: str, worked: bool) -> None:
        known = self._services.users.find(user)
        if known is None:  # what was typed may be a password by mistake
            self._services.audit.note(NOBODY, "sign-in", "unknown user", address, done=False)
            return
        actor = Actor(known.name, known.role, known.tenant) if worked else NOBODY
        self._services.audit.note(actor, "sign-in", known.name, address, done=worked)

    def _entered(self, actor: Actor, address: str, worked: bool) -> None:
        who = actor.name or "identity provider"
        detail = f"{actor.role}, tenant {actor.tenant}" if worked else ""
        self._services.audit.note(actor, "sign-in", who, address, done=worked, detail=detail)

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 (registered for it)
        return self._told(request, error.status_code, error.detail, dict(error.headers or {}))

    async def _unknown(self, request: Request, error: Exception) -> Response:
        return self._told(request, 404, f"{error}.", {})

    async def _unavailable(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, EdgeagentError)  # noqa: S101 (registered for it)
        return self._told(request, 503, told_reason(error), {"Retry-After": "5"})

    def _told(self, request: Request, status: int, reason: str, headers: dict[str, str]) -> Response:
        visitor = visitor_of(request)
        if visitor is None or "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse(f"{reason}\n", status, headers)
        content = (
            f'<section class="card told"><h1>{icon("warning")} {status}</h1><p>{text(reason)}</p>'
            '<p><a class="button quiet" href="/">To the fleet</a></p></section>'
        )
        response = self._views.document(
            Page("refused", str(status), content), visitor, actor_of_request(request), status
        )
        assert isinstance(response, HTMLResponse)  # noqa: S101
        response.headers.update(headers)
        return response


def _apart(guard: FleetGuard, receiver: FrameReceiver | None) -> Asgi:
    """Return page and API, with uploads of devices apart from them."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        uploads = receiver is not None and scope["type"] == "http" and scope["path"].startswith(UPLOAD)
        await (receiver if uploads and receiver is not None else guard)(scope, receive, send)

    return answer
