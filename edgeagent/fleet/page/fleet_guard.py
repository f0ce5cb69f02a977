"""Guard of the page and the API.

::

    no users yet (this machine only) -> everybody looks, nobody changes anything
    users                            -> session or token, else sign-in page or 401
    more than the visitor's limit    -> 429
"""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from edgeagent.fleet.oidc.oidc_people import FleetPeople
from edgeagent.fleet.page.page_settings import FleetPageSettings
from edgeagent.fleet.page.request_limit import RequestLimit
from edgeagent.fleet.users.actor import NOBODY, Actor
from edgeagent.fleet.users.fleet_credentials import FleetCredentials
from edgeagent.fleet.users.user_store import UserStore
from edgeagent.web.access import Access, Asgi, Receive, Scope, Send, client_of
from edgeagent.web.sessions import BYTES, Sessions, Visitor
from edgeagent.web.sign_in import address_group
from edgeagent.web.sign_in_pages import visitor_of

NAMES_KEY = "--host-name"
MOST_USER_SESSIONS = 4096
UNLIMITED = "/static/"


class UserSessions(Sessions):
    """Sessions that end with their user, or with a new password.

    Args:
        lasts_s: seconds that a session lasts.
        people: that are known.
    """

    def __init__(self, lasts_s: float, people: FleetPeople) -> None:
        super().__init__(lasts_s, most=MOST_USER_SESSIONS)
        self._people = people

    def find(self, token: str) -> Visitor | None:
        """Return who has a session; None where it has ended or never was."""
        visitor = super().find(token)
        if visitor is None or self._people.actor_of(visitor.user or "", visitor.began) is not None:
            return visitor
        self.end(token)
        return None


class FleetGuard:
    """ASGI middleware; used by one event loop.

    Args:
        application: that is guarded.
        settings: of the page.
        users: that are known.
        credentials: of these users.
        sessions: of these users.
        limit: of requests by visitor.
        people: local users, and those of an identity provider.
        provided: whether there is an identity provider, so that somebody may sign in without local users.
    """

    def __init__(
        self,
        application: Asgi,
        settings: FleetPageSettings,
        users: UserStore,
        credentials: FleetCredentials,
        sessions: UserSessions,
        limit: RequestLimit,
        people: FleetPeople,
        provided: bool,
    ) -> None:
        self._people = people
        self._application, self._users, self._limit = application, users, limit
        anyone = Visitor(None, secrets.token_urlsafe(BYTES))
        self._open = Access(self._limited, settings, None, sessions, anyone, NAMES_KEY)
        self._guarded = Access(self._limited, settings, credentials, sessions, anyone, NAMES_KEY)
        self._open_to_all = settings.only_here and not provided

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        access = self._open if self._open_to_all and self._users.empty else self._guarded
        await access(scope, receive, send)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        visitor: Visitor | None = scope["state"]["visitor"]
        if not scope["path"].startswith(UNLIMITED):
            name = visitor.user if visitor is not None else None
            who = f"user {name}" if name else address_group(client_of(scope, Headers(scope=scope)))
            if not self._limit.allows(who):
                refused = PlainTextResponse("Too many requests; ask less often.\n", 429, {"Retry-After": "1"})
                await refused(scope, receive, send)
                return
        if visitor is not None:
            actor = NOBODY if visitor.user is None else self._people.actor_of(visitor.user, visitor.began)
            if actor is None:
                await PlainTextResponse("Sign in first.\n", 401)(scope, receive, send)
                return
            scope["state"]["actor"] = actor
        await self._application(scope, receive, send)


def actor_of_request(request: Request) -> Actor:
    """Return who makes a request, with the present rights; there is one behind the sign-in page."""
    actor: Actor = request.scope["state"]["actor"]
    return actor


def address_of(request: Request) -> str:
    """Return the address of the client, for the audit."""
    return client_of(request.scope, request.headers)


def csrf_of(request: Request) -> str:
    """Return the value that a write of this visitor repeats."""
    visitor = visitor_of(request)
    return "" if visitor is None else visitor.csrf
