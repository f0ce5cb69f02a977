"""Signing in: a user with a password (argon2id), or a token; slower after each failure."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgeagent.errors import ConfigurationError
from edgeagent.files.secrets import read_secret
from edgeagent.settings.sections.web import WebSettings
from edgeagent.timing.rate_limit import RateLimit

if TYPE_CHECKING:
    import argon2

TIME_COST, MEMORY_KIB, PARALLELISM = 2, 19_456, 1
"""Parameters of argon2id for small memories (OWASP Password Storage Cheat Sheet)."""
FREE_FAILURES, LONGEST_PAUSE_S = 3, 300.0
MOST_ADDRESSES = 1024
ALL_PER_S, ALL_BURST = 1.0, 10.0
"""Tries of all addresses together."""
TOKEN_USER = "token"  # noqa: S105 (name of a user)


class SignInLimit:
    """Pauses after failures, by address: none for the first, then 1 s, 2 s, 4 s, up to five minutes.

    Args:
        clock: returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = (
            OrderedDict()
        )  # number, and when the next may be
        self._all = RateLimit(ALL_PER_S, ALL_BURST)

    def wait_s(self, address: str) -> float:
        """Count a try, and return 0; or return the seconds to wait before one is taken."""
        left = self.pause_s(address)
        if left > 0:
            return left
        return 0.0 if self._all.allows(int(self._clock() * 1e9)) else 1 / ALL_PER_S

    def pause_s(self, address: str) -> float:
        """Return the seconds that the pause of an address lasts; 0 where there is none."""
        return max(0.0, self._failures.get(address_group(address), (0, 0.0))[1] - self._clock())

    def failed(self, address: str) -> None:
        """Record a failure."""
        group = address_group(address)
        failures = self._failures.pop(group, (0, 0.0))[0] + 1
        while len(self._failures) >= MOST_ADDRESSES:
            self._failures.popitem(last=False)
        more = failures - FREE_FAILURES
        pause = 0.0 if more < 0 else min(LONGEST_PAUSE_S, 2.0 ** min(more, 16))
        self._failures[group] = failures, self._clock() + pause

    def worked(self, address: str) -> None:
        """Forget the failures of an address."""
        self._failures.pop(address_group(address), None)


def address_group(address: str) -> str:
    """Return what one client has for itself: an IPv4 address, or the first 64 bits of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


class Credentials:
    """Password and token of the settings.

    Args:
        settings: with the files of the secrets, which are read now.

    Raises:
        ConfigurationError: a file cannot be read, argon2-cffi is not installed, or a hash is none of argon2.
    """

    def __init__(self, settings: WebSettings) -> None:
        self._user, self._hash, self._token = settings.user, None, None
        self._checking = threading.Lock()  # one at a time, as each takes memory
        if settings.password_file is not None:
            self._hash = _password_hash(read_secret(settings.password_file, "the password of the live page"))
        if settings.token_file is not None:
            self._token = token_digest(read_secret(settings.token_file, "the token of the live page"))

    @property
    def by_password(self) -> bool:
        """Whether there is a user with a password."""
        return self._hash is not None

    def token_user(self, token: str) -> str | None:
        """Return :data:`TOKEN_USER` where this is the token."""
        right = self._token is not None and hmac.compare_digest(self._token, token_digest(token))
        return TOKEN_USER if right else None

    async def check(self, user: str, password: str) -> str | None:
        """Return the user whose password or token this is; None where it is of nobody."""
        by_token = self.token_user(password)
        if by_token is not None:
            return by_token
        if self._hash is None:
            return None
        right = await asyncio.to_thread(self._verify, self._hash, password)
        same = hmac.compare_digest((self._user or "").encode(), user.encode("utf-8", "surrogateescape"))
        return self._user if right and same else None

    def _verify(self, known: str, password: str) -> bool:
        import argon2

        with self._checking:
            try:
                return argon2.PasswordHasher().verify(known, password)
            except argon2.exceptions.VerificationError:
                return False


def token_digest(token: str) -> bytes:
    """Return the SHA-256 of a token, which is random: what is kept of it."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def password_hasher() -> argon2.PasswordHasher:
    """Return the hasher of passwords.

    Raises:
        ConfigurationError: argon2-cffi is not installed.
    """
    try:
        import argon2
    except ImportError as error:
        raise ConfigurationError("web: argon2-cffi is not installed; pip install edgeagent[web]") from error
    return argon2.PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=PARALLELISM)


def _password_hash(secret: str) -> str:
    hasher = password_hasher()
    import argon2

    if not secret.startswith("$argon2"):
        return hasher.hash(secret)
    try:
        argon2.extract_parameters(secret)
    except argon2.exceptions.InvalidHashError as error:
        raise ConfigurationError("web: password_file: this is no hash of argon2; make a new one") from error
    return secret
