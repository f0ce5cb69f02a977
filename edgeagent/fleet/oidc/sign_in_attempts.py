"""Sign-ins that have begun: each is kept by its own browser, encrypted, so that nobody can displace others.

The value of the cookie is a JWE (RFC 7516, ``dir`` with A256GCM) under a key of this process.
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

ATTEMPT_S = 600.0
MOST_USED = 4096
LONGEST_FOLLOWING = 1500
"""Bytes of the path that follows; a browser keeps cookies of 4096 bytes at most."""
HEADER = {"alg": "dir", "enc": "A256GCM"}


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """What a browser has begun.

    Attributes:
        following: path that follows.
        state, nonce, verifier: random values.
        began: monotonic seconds.
    """

    following: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    began: float = field(default_factory=time.monotonic)


class SignInAttempts:
    """Attempts, each of one use; used by one event loop.

    Args:
        clock: returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        from joserfc.jwk import OctKey

        self._clock, self._key = clock, OctKey.generate_key(256)
        self._used: OrderedDict[str, float] = OrderedDict()  # when it was, by state

    def begin(self, following: str) -> SignInAttempt:
        """Return a new attempt; a path that is too long for a cookie is replaced by "/"."""
        short = len(following.encode()) <= LONGEST_FOLLOWING
        return SignInAttempt(following if short else "/", began=self._clock())

    def seal(self, attempt: SignInAttempt) -> str:
        """Return the value of the cookie of an attempt."""
        from joserfc import jwe

        content = json.dumps(asdict(attempt), ensure_ascii=False).encode()
        return jwe.encrypt_compact(HEADER, content, self._key, algorithms=list(HEADER.values()))

    def take(self, sealed: str, state: str) -> SignInAttempt | None:
        """Return an attempt, and use it up.

        Args:
            sealed: value of the cookie.
            state: with which the provider has sent the browser back.

        Returns:
            None where it is of another process, too old, used, or has another state; then nothing changes.
        """
        from joserfc import jwe
        from joserfc.errors import JoseError

        try:
            opened = jwe.decrypt_compact(sealed, self._key, algorithms=list(HEADER.values()))
            attempt = SignInAttempt(**json.loads(opened.plaintext or b""))
        except (JoseError, ValueError, TypeError, KeyError):
            return None
        now = self._clock()
        while self._used and now - next(iter(self._used.values())) > ATTEMPT_S:
            self._used.popitem(last=False)
        same = hmac.compare_digest(state.encode("utf-8", "surrogateescape"), attempt.state.encode())
        if not same or now - attempt.began > ATTEMPT_S or attempt.state in self._used:
            return None
        while len(self._used) >= MOST_USED:
            self._used.popitem(last=False)
        self._used[attempt.state] = now
        return attempt
