"""Tokens with which devices send hard frames: each is of one tenant, and opens nothing else."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from edgeagent.errors import ConfigurationError
from edgeagent.fleet.users.actor import ALL_TENANTS
from edgeagent.fleet.users.user_file import UserFile
from edgeagent.fleet.users.user_store import NAMES, TENANTS, TOKEN_BYTES
from edgeagent.web.sign_in import token_digest

UPLOAD_PREFIX = "eau_"


@dataclass(frozen=True, slots=True)
class UploadToken:
    """Token without its secret.

    Attributes:
        tenant, name: whose, and of the token among those of the tenant.
        since: when it was issued, seconds since 1970.
    """

    tenant: str
    name: str
    since: float


class UploadTokens:
    """Tokens for uploads; thread-safe.

    Args:
        file: that they are in.
        clock: returns seconds since 1970.
    """

    def __init__(self, file: UserFile, clock: Callable[[], float] = time.time) -> None:
        self._file, self._clock = file, clock

    def issue(self, name: str, tenant: str) -> str:
        """Issue a token, and return it; it cannot be read again. One of the same name is replaced.

        Raises:
            ConfigurationError: a value cannot be used.
        """
        if not NAMES.fullmatch(name):
            raise ConfigurationError(
                f"token {name[:80]!r}: use letters, digits, and . _ @ - behind the first"
            )
        if tenant == ALL_TENANTS or not TENANTS.fullmatch(tenant):
            raise ConfigurationError(f"tenant {tenant[:80]!r}: use letters, digits, - and _, not - alone")
        token = UPLOAD_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        self._file.write(
            "INSERT OR REPLACE INTO upload_tokens (tenant, name, digest, since) VALUES (?, ?, ?, ?)",
            (tenant, name, token_digest(token), self._clock()),
        )
        return token

    def revoke(self, name: str, tenant: str) -> None:
        """End a token.

        Raises:
            ConfigurationError: there is no such token.
        """
        if not self._file.write("DELETE FROM upload_tokens WHERE tenant = ? AND name = ?", (tenant, name)):
            raise ConfigurationError(self._unknown(name, tenant))

    def tokens(self) -> list[UploadToken]:
        """Return all tokens by tenant and name."""
        rows = self._file.read("SELECT tenant, name, since FROM upload_tokens ORDER BY tenant, name")
        return [UploadToken(*row) for row in rows]

    def _unknown(self, name: str, tenant: str) -> str:
        whose = f"of the tenant {tenant[:80]!r}" if tenant else "of the devices without a tenant"
        others = [token.tenant for token in self.tokens() if token.name == name]
        options = " or ".join(f"--tenant {other}" if other else "no --tenant" for other in others)
        advice = f"there is one with {options}" if others else "see `edgeagent fleet users list`"
        return f"token {name[:80]!r} {whose}: there is none; {advice}"

    def tenant_of(self, token: str) -> str | None:
        """Return the tenant of a token; None where it is of nobody."""
        if not token.startswith(UPLOAD_PREFIX):
            return None
        rows = self._file.read("SELECT tenant FROM upload_tokens WHERE digest = ?", (token_digest(token),))
        return str(rows[0][0]) if rows else None
