"""Exchanges with an identity provider: few at once, none that lasts, and none soon after a failure.

A provider that does not answer must hold neither the threads of the page nor its memory; whoever asks
meanwhile is told so at once.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from edgeagent.fleet.oidc.oidc_claims import SignInRefusedError

AT_ONCE = 4
"""Exchanges at once; threads of the page are ten times as many."""
CONNECT_S, DEADLINE_S = 5.0, 10.0
LARGEST_ANSWER = 1_000_000
AWAY_S = 5.0
"""Time for which an address that has failed is not asked again."""
BUSY = "The identity provider answers slowly, or many people sign in. Try again in some seconds."


class ProviderAwayError(SignInRefusedError):
    """The provider cannot be reached, or does not answer as OpenID Connect demands."""


class ProviderExchange:
    """Exchanges with one provider; thread-safe.

    Args:
        new_session: returns a session of authlib, a context.
    """

    def __init__(self, new_session: Callable[[], Any]) -> None:
        self._new_session = new_session
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._failed: dict[str, tuple[float, str]] = {}  # until when, and why, by address

    def get(self, address: str) -> dict[str, Any]:
        """Return the JSON object at an address of the provider itself.

        Raises:
            ProviderAwayError: there is none, or there was none just now.
        """
        with self._lock:
            until, why = self._failed.get(address, (0.0, ""))
        if time.monotonic() < until:
            raise ProviderAwayError(why)
        try:
            with self.session() as session, told_as_away():
                answer = session.get(address, withhold_token=True, allow_redirects=False)
                answer.raise_for_status()
                found = answer.json()
        except ProviderAwayError as error:
            if error.__cause__ is not None:
                with self._lock:
                    self._failed[address] = time.monotonic() + AWAY_S, str(error)
            raise
        if not isinstance(found, dict):
            raise ProviderAwayError("The identity provider answers with something else than JSON.")
        return found

    @contextlib.contextmanager
    def session(self) -> Iterator[Any]:
        """Return a session for one exchange.

        Raises:
            ProviderAwayError: too many exchanges go on.
        """
        if not self._free.acquire(blocking=False):
            raise ProviderAwayError(BUSY)
        try:
            with self._new_session() as session:
                yield session
        finally:
            self._free.release()


@contextlib.contextmanager
def told_as_away() -> Iterator[None]:
    """Tell a failed exchange as a provider that is away.

    Raises:
        ProviderAwayError: the exchange failed; its cause is the error of `requests`.
    """
    try:
        yield
    except (OSError, ValueError, RecursionError) as error:  # those of requests are OSErrors
        raise ProviderAwayError(f"The identity provider does not answer ({type(error).__name__}).") from error
