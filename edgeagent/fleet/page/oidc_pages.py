"""Signing in through an identity provider.

::

    GET /sign-in/oidc            attempt in memory, its name in a cookie -> the provider
    GET /sign-in/oidc/callback   attempt of this browser, once -> claims -> session

The cookie of a session is sent by requests from this site only (SameSite=Strict), and the way back from the
provider begins elsewhere: the answer is a page that leads on, so that the next request begins here.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from edgeagent.files.naming import escape_controls, shortened
from edgeagent.fleet.oidc.oidc_claims import SignInRefusedError, actor_of_claims
from edgeagent.fleet.oidc.oidc_people import FleetPeople
from edgeagent.fleet.oidc.oidc_provider import OidcProvider, SignInAttempt
from edgeagent.fleet.oidc.oidc_settings import CALLBACK
from edgeagent.fleet.oidc.provider_exchange import ProviderAwayError
from edgeagent.fleet.users.actor import NOBODY, Actor
from edgeagent.web.access import client_of, cookie_of, is_encrypted
from edgeagent.web.sign_in_pages import SignInPages
from edgeagent.web.views.layout import Page
from edgeagent.web.views.markup import text

logger = logging.getLogger(__name__)

START = "/sign-in/oidc"
ATTEMPT_S = 600.0
MOST_ATTEMPTS = 1024
LONGEST_REASON = 300

OnEntered = Callable[[Actor, str, bool], None]


class OidcPages:
    """Pages for signing in through a provider; used by one event loop.

    Args:
        provider: to ask.
        people: who has signed in.
        pages: of the sign-in, which begin sessions and write the form.
        port: of the page, for the name of the cookie.
        on_entered: called with who has signed in, the address of the client, and whether it worked.

    Attributes:
        routes: of these pages.
    """

    def __init__(
        self,
        provider: OidcProvider,
        people: FleetPeople,
        pages: SignInPages,
        port: int,
        on_entered: OnEntered,
    ) -> None:
        self._provider, self._people, self._pages, self._on_entered = provider, people, pages, on_entered
        self._cookie = f"edgeagent_oidc_{port}"
        self._attempts: OrderedDict[str, SignInAttempt] = OrderedDict()
        self.routes = [Route(START, self._begin), Route(CALLBACK, self._finish)]

    async def _begin(self, request: Request) -> Response:
        attempt = SignInAttempt(self._pages.place(request.query_params.get("next", "/")))
        try:
            address = await run_in_threadpool(self._provider.begin, attempt)
        except SignInRefusedError as error:
            return self._refused(request, attempt.following, error)
        while len(self._attempts) >= MOST_ATTEMPTS:
            self._attempts.popitem(last=False)
        name = secrets.token_urlsafe(32)
        self._attempts[name] = attempt
        response = RedirectResponse(address, 303)
        response.set_cookie(
            self._cookie,
            name,
            max_age=round(ATTEMPT_S),
            path=START,
            httponly=True,
            samesite="lax",
            secure=is_encrypted(request.scope, request.headers),
        )
        return response

    async def _finish(self, request: Request) -> Response:
        attempt = self._attempts.pop(cookie_of(request.headers, self._cookie) or "", None)
        if attempt is None or time.monotonic() - attempt.began > ATTEMPT_S:
            error = SignInRefusedError("This sign-in was not begun here, or is too old. Try again.")
            return self._refused(request, "/", error)
        try:
            claims = await run_in_threadpool(self._provider.finish, attempt, dict(request.query_params))
            actor = actor_of_claims(self._provider.settings, claims)
        except SignInRefusedError as error:
            return self._refused(request, attempt.following, error)
        self._people.enter(actor)
        address = client_of(request.scope, request.headers)
        self._on_entered(actor, address, True)
        logger.info("fleet page: %s signed in from %s", escape_controls(actor.name), address)
        onward = text(attempt.following)
        content = (
            f'<section class="card told"><h1>Signed in</h1><p>{text(actor.name)}</p>'
            f'<p><a class="button" href="{onward}">Go on</a></p></section>'
        )
        response = self._pages.write(Page("sign-in", "Signed in", content))
        response.headers["Refresh"] = f"0; url={quote(attempt.following, safe='/?=&%+:')}"
        response.delete_cookie(self._cookie, path=START, httponly=True, samesite="lax")
        self._pages.give_session(request, response, actor.name)
        return response

    def _refused(self, request: Request, following: str, error: SignInRefusedError) -> Response:
        address = client_of(request.scope, request.headers)
        away = isinstance(error, ProviderAwayError)
        logger.warning(
            "fleet page: signing in through %s from %s: %s%s",
            self._provider.settings.issuer,
            address,
            shortened(str(error), LONGEST_REASON),
            f" ({error.__cause__})"[:LONGEST_REASON] if away and error.__cause__ is not None else "",
        )
        if not away:
            self._on_entered(NOBODY, address, False)
        return self._pages.form(following, str(error), 503 if away else 403)
