"""Users and API tokens: passwords as argon2id, of tokens only the SHA-256."""

from __future__ import annotations

import re
import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from edgeagent.errors import ConfigurationError
from edgeagent.fleet.users.actor import ALL_TENANTS, ROLES, Actor, Role
from edgeagent.fleet.users.user_file import UserFile
from edgeagent.web.sign_in import password_hasher, token_digest

NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
TENANTS = re.compile(r"\*|(?!-\Z)[A-Za-z0-9_-]{0,64}")
"""Names of tenants; ``-`` alone stands in paths for devices without one."""
SHORTEST_PASSWORD = 10
TOKEN_PREFIX = "eaf_"  # noqa: S105 (so that scanners of secrets find a token)
TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class FleetUser:
    """User of a fleet.

    Attributes:
        name: to sign in with.
        role: rights.
        tenant: whose devices are seen; ``*`` for those of all.
        since: when the password was set, seconds since 1970: sessions that began before are ended.
    """

    name: str
    role: Role
    tenant: str
    since: float


@dataclass(frozen=True, slots=True)
class FleetToken:
    """API token of a user, without its secret.

    Attributes:
        user, name: of the user, and of the token among those of the user.
        role: rights, at most those of the user.
        since, expires: seconds since 1970; ``expires`` is None where it does not end.
    """

    user: str
    name: str
    role: Role
    since: float
    expires: float | None


class UserStore:
    """Users and tokens; thread-safe.

    Args:
        file: that they are in.
        clock: returns seconds since 1970.
    """

    def __init__(self, file: UserFile, clock: Callable[[], float] = time.time) -> None:
        self._file, self._clock = file, clock

    @property
    def empty(self) -> bool:
        """Whether there are no users."""
        return not self._file.read("SELECT 1 FROM users LIMIT 1")

    def users(self) -> list[FleetUser]:
        """Return all users by name."""
        rows = self._file.read("SELECT name, role, tenant, since FROM users ORDER BY name")
        return [FleetUser(*row) for row in rows]

    def find(self, name: str) -> FleetUser | None:
        """Return a user; None where there is none of this name."""
        rows = self._file.read("SELECT name, role, tenant, since FROM users WHERE name = ?", (name,))
        return FleetUser(*rows[0]) if rows else None

    def managed_by(self, actor: Actor, name: str) -> bool:
        """Return whether there is a user whom an actor manages."""
        found = self.find(name)
        return found is not None and actor.manages(found.tenant)

    def hash_of(self, name: str) -> str | None:
        """Return the hash of a user's password; None where there is none of this name."""
        rows = self._file.read("SELECT hash FROM users WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def add(self, name: str, password: str, role: str, tenant: str = ALL_TENANTS) -> None:
        """Add a user.

        Raises:
            ConfigurationError: name, role, tenant or password cannot be used, or the name is taken.
        """
        if not NAMES.fullmatch(name):
            raise ConfigurationError(
                f"user {name[:80]!r}: use 1 to 64 letters, digits, and . _ @ - behind the first"
            )
        _check_password(password)
        _check_tenant(tenant)
        if role == "admin" and tenant != ALL_TENANTS:
            raise ConfigurationError(
                f"user {name}: an admin has all tenants; use --tenant '*', or another role"
            )
        row = (name, password_hasher().hash(password), _role(role), tenant, self._clock())
        try:
            self._file.write(
                "INSERT INTO users (name, hash, role, tenant, since) VALUES (?, ?, ?, ?, ?)", row
            )
        except sqlite3.IntegrityError:
            raise ConfigurationError(
                f"user {name}: exists already; a new password: "
                f"`edgeagent fleet users change {name} --password`"
            ) from None

    def change(self, name: str, role: str | None = None, password: str | None = None) -> None:
        """Change role or password of a user; a new password ends all sessions.

        Raises:
            ConfigurationError: there is no such user, or a value cannot be used.
        """
        known = self._known(name)
        if role == "admin" and known.tenant != ALL_TENANTS:
            raise ConfigurationError(f"user {name}: has one tenant, and cannot be an admin")
        if role is not None:
            self._file.write("UPDATE users SET role = ? WHERE name = ?", (_role(role), name))
        if password is not None:
            _check_password(password)
            values = (password_hasher().hash(password), self._clock(), name)
            self._file.write("UPDATE users SET hash = ?, since = ? WHERE name = ?", values)

    def remove(self, name: str) -> None:
        """Remove a user with all tokens; sessions end with the next request.

        Raises:
            ConfigurationError: there is no such user.
        """
        if not self._file.write("DELETE FROM users WHERE name = ?", (name,)):
            raise unknown_user(name)

    def issue(self, user: str, name: str, role: str | None = None, lasts_s: float | None = None) -> str:
        """Issue a token, and return it; it cannot be read again.

        Args:
            user: that it belongs to.
            name: of the token; one of the same name is replaced.
            role: rights, at most those of the user; None for a viewer.
            lasts_s: seconds until it ends; None never ends.

        Raises:
            ConfigurationError: there is no such user, or a value cannot be used.
        """
        known = self._known(user)
        wanted = _role(role or "viewer")
        if ROLES.index(wanted) > ROLES.index(known.role):
            raise ConfigurationError(f"token {name[:80]!r}: {user} is {known.role} and cannot give {wanted}")
        if not NAMES.fullmatch(name):
            raise ConfigurationError(
                f"token {name[:80]!r}: use letters, digits, and . _ @ - behind the first"
            )
        token, now = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES), self._clock()
        row = (user, name, token_digest(token), wanted, now, None if lasts_s is None else now + lasts_s)
        self._file.write(
            "INSERT OR REPLACE INTO tokens (user, name, digest, role, since, expires)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            row,
        )
        return token

    def revoke(self, user: str, name: str) -> None:
        """End a token.

        Raises:
            ConfigurationError: there is no such token.
        """
        if not self._file.write("DELETE FROM tokens WHERE user = ? AND name = ?", (user, name)):
            raise ConfigurationError(
                f"token {name[:80]!r} of {user[:80]!r}: there is none; see `fleet users list`"
            )

    def tokens(self) -> list[FleetToken]:
        """Return all tokens by user and name."""
        rows = self._file.read("SELECT user, name, role, since, expires FROM tokens ORDER BY user, name")
        return [FleetToken(*row) for row in rows]

    def token_actor(self, token: str) -> Actor | None:
        """Return whoever has a token; None where it is of nobody, or has expired."""
        if not token.startswith(TOKEN_PREFIX):
            return None
        rows = self._file.read(
            "SELECT t.user, t.name, t.role, u.role, u.tenant, t.expires FROM tokens t"
            " JOIN users u ON u.name = t.user WHERE t.digest = ?",
            (token_digest(token),),
        )
        if not rows:
            return None
        return self._token_actor(*rows[0])

    def actor_of(self, name: str, began: float) -> Actor | None:
        """Return who has a session or uses a token, with the present rights; None where they have ended.

        Args:
            name: of the user, or ``USER/TOKEN``.
            began: when the session began, seconds since 1970.
        """
        user, of_token, token = name.partition("/")
        if of_token:
            rows = self._file.read(
                "SELECT t.user, t.name, t.role, u.role, u.tenant, t.expires FROM tokens t"
                " JOIN users u ON u.name = t.user WHERE t.user = ? AND t.name = ?",
                (user, token),
            )
            return self._token_actor(*rows[0]) if rows else None
        found = self.find(user)
        if found is None or began < found.since:
            return None
        return Actor(found.name, found.role, found.tenant)

    def _token_actor(
        self, user: str, name: str, role: Role, of_user: Role, tenant: str, expires: float | None
    ) -> Actor | None:
        if expires is not None and expires <= self._clock():
            return None
        return Actor(f"{user}/{name}", min(role, of_user, key=ROLES.index), tenant)

    def _known(self, name: str) -> FleetUser:
        found = self.find(name)
        if found is None:
            raise unknown_user(name)
        return found


def unknown_user(name: str) -> ConfigurationError:
    """Return the error of a name that is of nobody."""
    return ConfigurationError(f"user {name[:80]!r}: there is none; see `edgeagent fleet users list`")


def _role(role: str) -> Role:
    if role not in ROLES:
        raise ConfigurationError(f"role {role[:80]!r}: expected {', '.join(ROLES)}")
    return role


def _check_password(password: str) -> None:
    if not SHORTEST_PASSWORD <= len(password) <= 1024:
        raise ConfigurationError(
            f"the password has {len(password)} characters; use {SHORTEST_PASSWORD} to 1024"
        )


def _check_tenant(tenant: str) -> None:
    if not TENANTS.fullmatch(tenant):
        raise ConfigurationError(
            f"tenant {tenant[:80]!r}: use letters, digits, - and _ (not - alone), or * for all"
        )
