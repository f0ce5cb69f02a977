"""Guard of all requests: where they come from, who makes them, how long they take.

::

    Host not of this device -> 400 (DNS rebinding)       Origin of another page -> 403
    not signed in -> sign-in page, or 401                answer not taken within STALL_S -> connection aborted

Every answer has a strict content security policy: no code, style or picture from elsewhere, none inline.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from edgeagent.settings.addresses import is_loopback
from edgeagent.web.protocol import ABORT
from edgeagent.web.sessions import Sessions, Visitor

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

STALL_S = 15.0
"""Longest time in which a client takes a part of an answer."""
OPEN_TO_ALL = ("/sign-in", "/static/")
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "media-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer, forms would be sent with Origin: null
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class PageAddress(Protocol):
    """Where a page is reached.

    Attributes:
        host: address that it listens on.
        port: TCP port.
        hosts: further names under which it is opened.
        session: seconds after which a person signs in again.
    """

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def hosts(self) -> tuple[str, ...]: ...
    @property
    def session(self) -> float: ...


class TokenHolder(Protocol):
    """Keeper of tokens."""

    def token_user(self, token: str) -> str | None:
        """Return the user of a token; None where it is of nobody."""


class Access:
    """ASGI middleware; used by one event loop.

    Args:
        application: that is guarded; it finds the :class:`Visitor` in ``scope["state"]["visitor"]``.
        settings: addresses and names of the page.
        credentials: None where nobody signs in.
        sessions: sessions of people.
        anyone: visitor where nobody signs in.
        names_key: where further names of the page are given, for the answer to one that is not known.
    """

    def __init__(
        self,
        application: Asgi,
        settings: PageAddress,
        credentials: TokenHolder | None,
        sessions: Sessions,
        anyone: Visitor,
        names_key: str = "web.hosts",
    ) -> None:
        self._application, self._credentials = application, credentials
        self._sessions, self._anyone, self._names_key = sessions, anyone, names_key
        self._cookie = cookie_name(settings)
        self._names = {"localhost", *(name.lower() for name in settings.hosts)}
        self._only_here = is_loopback(settings.host)
        if not self._only_here:
            name = socket.gethostname().lower()
            self._names |= {name, f"{name}.local"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        guarded = _GuardedSend(scope, send)
        refused = self._refuse(scope, headers)
        if refused is not None:
            await refused(scope, receive, guarded)
            return
        await self._application(scope, receive, guarded)

    def _refuse(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if not self._known(host):
            advice = f"Open it by its address, or add the name to {self._names_key}."
            return PlainTextResponse(f"This page is not at {host[:80]!r}. {advice}\n", 400)
        if not _same_origin(scope["method"], headers, host):
            return PlainTextResponse("Another page has made this request; it is refused.\n", 403)
        visitor = self._visitor(headers)
        if visitor is None and not scope["path"].startswith(OPEN_TO_ALL):
            return _ask_to_sign_in(scope, headers)
        scope.setdefault("state", {})["visitor"] = visitor
        return None

    def _known(self, host: str) -> bool:
        """Return whether a Host header names this device: by an address, or by a name that it has."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name.lower() in self._names
        return address.is_loopback or not self._only_here

    def _visitor(self, headers: Headers) -> Visitor | None:
        if self._credentials is None:
            return self._anyone
        scheme, _, token = headers.get("authorization", "").partition(" ")
        user = self._credentials.token_user(token.strip()) if scheme.lower() == "bearer" else None
        if user is not None:
            return Visitor(user, "", by_token=True)
        cookie = cookie_of(headers, self._cookie)
        return self._sessions.find(cookie) if cookie else None


class _GuardedSend:
    """Sender of an answer: adds the security headers, and aborts a connection that takes nothing."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message.get("headers", ())}
            more = [
                (name.lower().encode(), value.encode())
                for name, value in SECURITY_HEADERS.items()
                if name.lower().encode() not in given
            ]
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        try:
            await asyncio.wait_for(self._send(message), STALL_S)
        except asyncio.TimeoutError:
            abort = self._scope.get(ABORT)
            if abort is not None:
                abort()
            raise ConnectionError("the client takes nothing") from None


def _same_origin(method: str, headers: Headers, host: str) -> bool:
    """Return whether a request is of a page of this server, or of no page at all."""
    site = headers.get("sec-fetch-site", "none")
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() == host.lower()
    if site in ("same-origin", "none"):
        return True
    opens_page = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return method == "GET" and opens_page  # a link on another page


def _ask_to_sign_in(scope: Scope, headers: Headers) -> Response:
    if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        query = scope.get("query_string", b"").decode("ascii", "replace")
        place = f"{scope['path']}?{query}" if query else scope["path"]
        return RedirectResponse(f"/sign-in?next={quote(place, safe='/')}", 303)
    return PlainTextResponse("Sign in first.\n", 401)


def cookie_name(settings: PageAddress) -> str:
    """Return the name of the session's cookie; with the port, as a browser has one set for all ports."""
    return f"edgeagent_session_{settings.port}"


def cookie_of(headers: Headers, name: str) -> str | None:
    """Return the value of a cookie; None where there is none."""
    for part in headers.get("cookie", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return None


def client_of(scope: Scope, headers: Headers) -> str:
    """Return the address of the client, that before a proxy on this machine."""
    client = scope.get("client")
    address = str(client[0]) if client else ""
    forwarded = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return forwarded if forwarded and is_loopback(address) else address


def is_encrypted(scope: Scope, headers: Headers) -> bool:
    """Return whether the browser has an encrypted connection, also to a proxy on this machine."""
    client = scope.get("client")
    behind_proxy = client is not None and is_loopback(str(client[0]))
    return scope["scheme"] == "https" or (behind_proxy and headers.get("x-forwarded-proto") == "https")
