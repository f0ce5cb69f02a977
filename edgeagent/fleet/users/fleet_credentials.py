"""Check of passwords and tokens for the pages that sign people in."""

from __future__ import annotations

import asyncio
import threading

from edgeagent.fleet.users.user_store import UserStore
from edgeagent.web.sign_in import password_hasher

LONGEST_PASSWORD = 1024


class FleetCredentials:
    """Passwords and tokens of a fleet's users.

    Args:
        users: that are known.

    Raises:
        ConfigurationError: argon2-cffi is not installed.
    """

    by_password = True

    def __init__(self, users: UserStore) -> None:
        self._users, self._hasher = users, password_hasher()
        self._checking = threading.Lock()  # one at a time, as each takes memory
        self._of_nobody = self._hasher.hash(
            "of nobody"
        )  # so that an unknown name takes as long as a wrong password

    def token_user(self, token: str) -> str | None:
        """Return user and name of a token; None where it is of nobody."""
        actor = self._users.token_actor(token)
        return None if actor is None else actor.name

    async def check(self, user: str, password: str) -> str | None:
        """Return the user whose password this is; None where it is of nobody."""
        return await asyncio.to_thread(self._verify, user, password)

    def _verify(self, user: str, password: str) -> str | None:
        import argon2

        if len(password) > LONGEST_PASSWORD:
            return None
        known = self._users.hash_of(user)
        with self._checking:
            try:
                self._hasher.verify(known or self._of_nobody, password)
            except argon2.exceptions.VerificationError:
                return None
        return user if known is not None else None
