"""Sessions of people who have signed in; in memory, so that a restart of the agent ends them all."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MOST_SESSIONS = 64
BYTES = 32  # of random numbers in a token


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever makes a request.

    Attributes:
        user: name; None where nobody signs in.
        csrf: value that a write must repeat.
        expires: monotonic time in seconds; None never ends.
        by_token: whether each request carries the token itself, which no foreign page can make a browser do.
        began: when the session began, seconds since 1970.
    """

    user: str | None
    csrf: str
    expires: float | None = None
    by_token: bool = False
    began: float = 0.0

    def may_write(self, csrf: str) -> bool:
        """Return whether a write comes from a page of this server."""
        return self.by_token or hmac.compare_digest(self.csrf.encode(), csrf.encode())


class Sessions:
    """Sessions by the digest of their token; used by one thread.

    Args:
        lasts_s: seconds that a session lasts.
        clock: returns monotonic seconds.
        most: the oldest session ends for a new one beyond these.
    """

    def __init__(
        self, lasts_s: float, clock: Callable[[], float] = time.monotonic, most: int = MOST_SESSIONS
    ) -> None:
        self._lasts_s, self._clock, self._most = lasts_s, clock, most
        self._sessions: OrderedDict[bytes, Visitor] = OrderedDict()

    def begin(self, user: str) -> str:
        """Begin a session, and return its token."""
        token = secrets.token_urlsafe(BYTES)
        while len(self._sessions) >= self._most:
            self._sessions.popitem(last=False)
        csrf = secrets.token_urlsafe(BYTES)
        self._sessions[_digest(token)] = Visitor(user, csrf, self._clock() + self._lasts_s, began=time.time())
        return token

    def find(self, token: str) -> Visitor | None:
        """Return who has a session; None where it has ended or never was."""
        visitor = self._sessions.get(_digest(token))
        if visitor is None or self.lasts(visitor):
            return visitor
        self.end(token)
        return None

    def lasts(self, visitor: Visitor) -> bool:
        """Return whether a session has not expired."""
        return visitor.expires is None or self._clock() < visitor.expires

    def open(self, visitor: Visitor) -> bool:
        """Return whether the session of a visitor lasts and was not ended."""
        known = visitor.expires is None or any(one is visitor for one in self._sessions.values())
        return known and self.lasts(visitor)

    def end(self, token: str) -> None:
        """End a session."""
        self._sessions.pop(_digest(token), None)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
