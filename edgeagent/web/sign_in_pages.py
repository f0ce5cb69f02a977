"""Signing in and out, writes that a page of this server makes, and what a request is answered that fails.

::

    GET /sign-in     form
    POST /sign-in    right: session, and the page that was asked for; wrong: form, slower after each failure
    POST /sign-out   the session ends
    POST /errors     an error of a script in the browser goes to the log
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from edgeagent.timing.rate_limit import RateLimit
from edgeagent.timing.repeat_limit import RepeatLimit
from edgeagent.web.access import PageAddress, TokenHolder, client_of, cookie_name, cookie_of, is_encrypted
from edgeagent.web.request_body import read_form, read_json_body
from edgeagent.web.sessions import Sessions, Visitor
from edgeagent.web.sign_in import SignInLimit
from edgeagent.web.views.layout import Page
from edgeagent.web.views.sign_in_form import DEVICE_HINT, write_sign_in

logger = logging.getLogger(__name__)

ERRORS_PER_S, ERRORS_BURST, LONGEST_ERROR = 0.5, 5.0, 500
WRITE_HEADER = "x-csrf-token"

WritePage = Callable[[Page, Visitor | None], Response]
OnSignIn = Callable[[str, str, bool], None]


class PasswordCheck(TokenHolder, Protocol):
    """Keeper of passwords and tokens."""

    @property
    def by_password(self) -> bool:
        """Whether there is a user with a password."""

    async def check(self, user: str, password: str) -> str | None:
        """Return the user whose password or token this is; None where it is of nobody."""


@dataclass(frozen=True, slots=True)
class SignInText:
    """What the pages say.

    Attributes:
        server: name of the device, or of the whole, above the form.
        what: of the log, such as "live page".
        hint: HTML for those who cannot sign in.
        log: where the reason of a failure is found.
        other: path of another way to sign in, and the label of the link to it.
    """

    server: str
    what: str = "live page"
    hint: str = DEVICE_HINT
    log: str = "the log of the device"
    other: tuple[str, str] | None = None


class SignInPages:
    """Pages for signing in; used by one event loop.

    Args:
        address: of the page.
        credentials: None where nobody signs in.
        sessions: sessions of people.
        write_page: returns the answer with a view.
        wording: what the pages say.
        places: paths that may follow after signing in; each stands for what is below it, too, but "/".
        on_sign_in: called with user, address of the client, and whether it worked.

    Attributes:
        routes: of these pages.
        limit: of failures by address.
    """

    def __init__(
        self,
        address: PageAddress,
        credentials: PasswordCheck | None,
        sessions: Sessions,
        write_page: WritePage,
        wording: SignInText,
        places: tuple[str, ...],
        on_sign_in: OnSignIn = lambda user, address, worked: None,
    ) -> None:
        self._address, self._credentials, self._sessions = address, credentials, sessions
        self._write_page, self._wording, self._places = write_page, wording, places
        self._on_sign_in = on_sign_in
        self.limit, self._cookie = SignInLimit(), cookie_name(address)
        self._errors, self._repeats = RateLimit(ERRORS_PER_S, ERRORS_BURST), RepeatLimit()
        self.routes = [
            Route("/sign-in", self._ask),
            Route("/sign-in", self._sign_in, methods=["POST"]),
            Route("/sign-out", self._sign_out, methods=["POST"]),
            Route("/errors", self._script_error, methods=["POST"]),
        ]

    def _ask(self, request: Request) -> Response:
        if self._credentials is None or visitor_of(request) is not None:
            return RedirectResponse("/", 303)
        return self.form(request.query_params.get("next", "/"))

    def place(self, following: str) -> str:
        """Return a path that may follow; "/" where it may not."""
        return local_place(following, self._places)

    def write(self, page: Page) -> Response:
        """Return the answer with a view for those who have not signed in."""
        return self._write_page(page, None)

    def form(self, following: str, error: str | None = None, status: int = 200) -> Response:
        """Return the form.

        Args:
            following: path that follows.
            error: why the last try failed.
            status: of the answer.
        """
        by_password = self._credentials is not None and self._credentials.by_password
        place = local_place(following, self._places)
        other = f"{self._wording.other[0]}?next={quote(place, safe='')}" if self._wording.other else None
        label = self._wording.other[1] if self._wording.other else ""
        hint = self._wording.hint
        content = write_sign_in(self._wording.server, place, by_password, error, hint, other, label)
        response = self._write_page(Page("sign-in", "Sign in", content), None)
        response.status_code = status
        return response

    def refused_for(self, seconds: float, following: str) -> Response:
        """Return the form for those who have failed too often.

        Args:
            seconds: until they may try again.
            following: path that follows.
        """
        response = self.form(following, f"Too many tries. Try again in {seconds:.0f} s.", 429)
        response.headers["Retry-After"] = str(round(seconds + 0.5))
        return response

    async def _sign_in(self, request: Request) -> Response:
        if self._credentials is None:
            return RedirectResponse("/", 303)
        address = client_of(request.scope, request.headers)
        form = await read_form(request)
        following, what = form.get("next", "/"), self._wording.what
        wait_s = self.limit.wait_s(address)
        if wait_s > 0:
            return self.refused_for(wait_s, following)
        given = form.get("user", "")
        user = await self._credentials.check(given, form.get("password", ""))
        if user is None:
            self.limit.failed(address)
            self._on_sign_in(given, address, False)
            logger.warning("%s: somebody at %s could not sign in", what, address)
            return self.form(following, "User or password are wrong.", 403)
        self.limit.worked(address)
        self._on_sign_in(user, address, True)
        logger.info("%s: %s signed in from %s", what, user, address)
        response = RedirectResponse(local_place(following, self._places), 303)
        self.give_session(request, response, user)
        return response

    def give_session(self, request: Request, response: Response, user: str) -> None:
        """Begin the session of a user with an answer."""
        response.set_cookie(
            self._cookie,
            self._sessions.begin(user),
            max_age=round(self._address.session),
            httponly=True,
            samesite="strict",
            secure=is_encrypted(request.scope, request.headers),
        )

    async def _sign_out(self, request: Request) -> Response:
        form = await read_form(request)
        check_write(request, form.get("csrf", ""))
        token = cookie_of(request.headers, self._cookie)
        if token is not None:
            self._sessions.end(token)
        response = RedirectResponse("/", 303)
        response.delete_cookie(self._cookie, httponly=True, samesite="strict")
        return response

    async def _script_error(self, request: Request) -> Response:
        check_write(request, request.headers.get(WRITE_HEADER, ""))
        report = await read_json_body(request)
        if self._errors.allows(time.monotonic_ns()):
            told = json.dumps(
                {name: str(report.get(name, ""))[:LONGEST_ERROR] for name in ("message", "where", "stack")}
            )
            logger.error("%s: an error in the browser: %s", self._wording.what, told)
        return Response(status_code=204)

    async def refused(self, _: Request, error: Exception) -> Response:
        """Answer a request that is refused with its reason."""
        assert isinstance(error, HTTPException)  # noqa: S101 (registered for it)
        return PlainTextResponse(f"{error.detail}\n", error.status_code, error.headers)

    async def fault(self, _: Request, error: Exception) -> Response:
        """Answer a request that failed by a bug, and log it."""
        what = self._wording.what
        if self._repeats.allows(type(error).__name__, time.monotonic()):
            logger.error("%s: a request failed; report this as a bug of edgeagent", what, exc_info=error)
        return PlainTextResponse(f"This failed; {self._wording.log} has the reason.\n", 500)


def visitor_of(request: Request) -> Visitor | None:
    """Return who makes a request; None before signing in."""
    visitor: Visitor | None = request.scope["state"]["visitor"]
    return visitor


def check_write(request: Request, csrf: str) -> Visitor:
    """Return who makes a write.

    Raises:
        HTTPException: it is not of a page of this server (403).
    """
    visitor = visitor_of(request)
    if visitor is None or not visitor.may_write(csrf):
        raise HTTPException(403, "This page is too old. Load it again.")
    return visitor


def local_place(place: str, places: tuple[str, ...]) -> str:
    """Return path and query of a page of this server; "/" where it is none."""
    if not place.isprintable() or "\\" in place:
        return "/"
    try:
        parts = urlsplit(place)
    except ValueError:
        return "/"
    known = any(parts.path == one or (one != "/" and parts.path.startswith(f"{one}/")) for one in places)
    if parts.scheme or parts.netloc or not known or "//" in parts.path or "/." in parts.path:
        return "/"
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
