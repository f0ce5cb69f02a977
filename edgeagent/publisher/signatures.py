"""Delegations and signatures of roles: who may sign a role, and which valid signatures it has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from securesystemslib.signer import Key
from tuf.api.metadata import Metadata, Root, Targets

Delegator: TypeAlias = Root | Targets
"""Metadata that names the keys of other roles."""


def is_delegated(delegator: Delegator, role: str) -> bool:
    """Return whether a delegator names the keys of a role."""
    if isinstance(delegator, Root):
        return role in delegator.roles
    roles = delegator.delegations.roles if delegator.delegations else None
    return roles is not None and role in roles


def verifies(delegator: Delegator, role: str, md: Metadata[Any]) -> bool:
    """Return whether metadata has as many valid signatures as a delegator demands."""
    if not is_delegated(delegator, role):
        return False
    return delegator.get_verification_result(role, md.signed_bytes, md.signatures).verified


def delegated_keys(delegators: Iterable[Delegator], role: str) -> list[Key]:
    """Return the keys that one of the delegators allows to sign a role."""
    found: dict[str, Key] = {}
    for delegator in delegators:
        if is_delegated(delegator, role):
            for keyid in delegator.get_delegated_role(role).keyids:
                found[keyid] = delegator.get_key(keyid)
    return list(found.values())


def valid_signers(delegators: Iterable[Delegator], role: str, md: Metadata[Any]) -> set[str]:
    """Return the ids of the keys whose signatures are valid for one of the delegators."""
    found: set[str] = set()
    for delegator in delegators:
        if is_delegated(delegator, role):
            found.update(delegator.get_verification_result(role, md.signed_bytes, md.signatures).signed)
    return found
