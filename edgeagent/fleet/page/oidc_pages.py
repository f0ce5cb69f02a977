"""Signing in through an identity provider.

::

    GET /sign-in/oidc            attempt in a cookie -> the provider
    GET /sign-in/oidc/callback   attempt of this browser, once -> claims -> session
                                 no such attempt -> the form; nothing is audited, as anybody may ask for this

The cookie of a session is sent by requests from this site only (SameSite=Strict), and the way back from the
provider begins elsewhere: the answer is a page that leads on, so that the next request begins here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from edgeagent.files.naming import escape_controls, shortened
from edgeagent.fleet.oidc.oidc_claims import SignInRefusedError, actor_of_claims
from edgeagent.fleet.oidc.oidc_people import FleetPeople
from edgeagent.fleet.oidc.oidc_provider import OidcProvider
from edgeagent.fleet.oidc.oidc_settings import CALLBACK
from edgeagent.fleet.oidc.provider_exchange import ProviderAwayError
from edgeagent.fleet.oidc.sign_in_attempts import ATTEMPT_S, SignInAttempts
from edgeagent.fleet.users.actor import NOBODY, Actor
from edgeagent.timing.rate_limit import RateLimit
from edgeagent.timing.repeat_limit import RepeatLimit
from edgeagent.web.access import client_of, cookie_of, is_encrypted
from edgeagent.web.sign_in_pages import SignInPages
from edgeagent.web.views.layout import Page
from edgeagent.web.views.markup import text

logger = logging.getLogger(__name__)

START = "/sign-in/oidc"
LONGEST_REASON = 300
UNKNOWN = "This sign-in was not begun here, or is too old. Try again."
FAILURES_PER_S, FAILURES_BURST = 1.0, 10.0
"""Failures of all addresses together that are audited; further ones are in the log alone."""

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
        self._attempts, self._repeats = SignInAttempts(), RepeatLimit()
        self._failures = RateLimit(FAILURES_PER_S, FAILURES_BURST)
        self.routes = [Route(START, self._begin), Route(CALLBACK, self._finish)]

    async def _begin(self, request: Request) -> Response:
        attempt = self._attempts.begin(self._pages.place(request.query_params.get("next", "/")))
        pause_s = self._pages.limit.pause_s(client_of(request.scope, request.headers))
        if pause_s > 0:
            return self._pages.refused_for(pause_s, attempt.following)
        try:
            address = await run_in_threadpool(self._provider.begin, attempt)
        except ProviderAwayError as error:
            return self._away(attempt.following, error)
        response = RedirectResponse(address, 303)
        response.set_cookie(
            self._cookie,
            self._attempts.seal(attempt),
            max_age=round(ATTEMPT_S),
            path=START,
            httponly=True,
            samesite="lax",
            secure=is_encrypted(request.scope, request.headers),
        )
        return response

    async def _finish(self, request: Request) -> Response:
        address = client_of(request.scope, request.headers)
        pause_s = self._pages.limit.pause_s(address)
        if pause_s > 0:
            return self._pages.refused_for(pause_s, "/")
        given = dict(request.query_params)
        attempt = self._attempts.take(cookie_of(request.headers, self._cookie) or "", given.get("state", ""))
        if attempt is None:
            return self._pages.form("/", UNKNOWN, 403)
        try:
            claims = await run_in_threadpool(self._provider.finish, attempt, given)
            actor = actor_of_claims(self._provider.settings, claims)
        except ProviderAwayError as error:
            return self._away(attempt.following, error)
        except SignInRefusedError as error:
            return self._refused(address, attempt.following, error)
        self._pages.limit.worked(address)
        self._people.enter(actor)
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

    def _refused(self, address: str, following: str, error: SignInRefusedError) -> Response:
        self._pages.limit.failed(address)
        reason = shortened(str(error), LONGEST_REASON)
        issuer = self._provider.settings.issuer
        logger.warning("fleet page: signing in through %s from %s: %s", issuer, address, reason)
        if self._failures.allows(time.monotonic_ns()):
            self._on_entered(NOBODY, address, False)
        return self._pages.form(following, str(error), 403)

    def _away(self, following: str, error: ProviderAwayError) -> Response:
        if self._repeats.allows(str(error), time.monotonic()):
            issuer, cause = self._provider.settings.issuer, error.__cause__
            why = "" if cause is None else f" ({cause})"[:LONGEST_REASON]
            logger.warning("fleet page: signing in through %s: %s%s", issuer, error, why)
        return self._pages.form(following, str(error), 503)
