"""Who may sign a role, and whether enough of them have."""

from __future__ import annotations

from typing import Any

from tuf.api.metadata import Metadata, Root, Targets


def is_delegated(delegator: Root | Targets, role: str) -> bool:
    """Return whether a delegator says who signs a role."""
    if isinstance(delegator, Root):
        return role in delegator.roles
    roles = delegator.delegations.roles if delegator.delegations else None
    return roles is not None and role in roles


def verifies(delegator: Root | Targets, role: str, md: Metadata[Any]) -> bool:
    """Return whether metadata has the signatures that a delegator asks for."""
    if not is_delegated(delegator, role):
        return False
    return delegator.get_verification_result(role, md.signed_bytes, md.signatures).verified
