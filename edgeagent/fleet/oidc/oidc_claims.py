"""Name, role and tenant of a person from the claims of the identity provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeagent.errors import EdgeagentError
from edgeagent.fleet.oidc.oidc_settings import OidcSettings
from edgeagent.fleet.users.actor import ALL_TENANTS, ROLES, Actor, Role

OIDC_PREFIX = "oidc:"
"""Before the names of people of the provider: local users cannot have a colon in theirs."""
LONGEST_NAME = 100


class SignInRefusedError(EdgeagentError):
    """Somebody cannot sign in through the identity provider; the text is shown to whoever tried."""


def actor_of_claims(settings: OidcSettings, claims: Mapping[str, Any]) -> Actor:
    """Return who has signed in.

    Raises:
        SignInRefusedError: no usable name, role or tenant follows from the claims.
    """
    name = claims.get(settings.user_claim)
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise SignInRefusedError(f"The provider says no usable name in the claim {settings.user_claim}.")
    role = _role(settings, claims)
    tenant = _tenant(settings, claims)
    if role == "admin" and tenant != ALL_TENANTS:
        role = "operator"  # an admin has all tenants
    return Actor(f"{OIDC_PREFIX}{name.strip()}", role, tenant)


def _role(settings: OidcSettings, claims: Mapping[str, Any]) -> Role:
    found = [settings.roles[word] for word in _words(claims, settings.role_claim) if word in settings.roles]
    if found:
        return max(found, key=ROLES.index)
    if settings.default_role is None:
        raise SignInRefusedError(
            f"Your account has no role here: no word of the claim {settings.role_claim} stands for one. "
            "Ask an admin of the fleet."
        )
    return settings.default_role


def _tenant(settings: OidcSettings, claims: Mapping[str, Any]) -> str:
    if settings.tenant_claim is None:
        return ALL_TENANTS
    found = {
        settings.tenants[word] for word in _words(claims, settings.tenant_claim) if word in settings.tenants
    }
    if ALL_TENANTS in found:
        return ALL_TENANTS
    if len(found) != 1:
        many = "stand for several" if found else "stand for none"
        raise SignInRefusedError(
            f"Your account has no single tenant here: the words of the claim {settings.tenant_claim} {many}. "
            "Ask an admin of the fleet."
        )
    return found.pop()


def _words(claims: Mapping[str, Any], name: str) -> list[str]:
    value = claims.get(name)
    values = value if isinstance(value, list) else [value]
    return [word for word in values if isinstance(word, str)]
