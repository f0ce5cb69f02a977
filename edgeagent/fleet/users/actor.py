"""Whoever makes a request to the fleet's page or API, with role and tenant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["viewer", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""From the least to the most rights: a viewer looks, an operator acts, an admin also manages users."""
ALL_TENANTS = "*"


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever makes a request.

    Attributes:
        name: of the user, with ``/`` and the token's name where a token was used; "" where nobody signs in.
        role: rights.
        tenant: whose devices are seen; :data:`ALL_TENANTS` for those of all, "" for those without one.
    """

    name: str
    role: Role
    tenant: str = ALL_TENANTS

    @property
    def of_all(self) -> bool:
        """Whether devices of all tenants are seen: plans of rollouts and users are not of one tenant."""
        return self.tenant == ALL_TENANTS

    def may(self, needed: Role) -> bool:
        """Return whether the role has the rights of another; nobody of one tenant has those of an admin."""
        return ROLES.index(self.role) >= ROLES.index(needed) and (needed != "admin" or self.of_all)

    @property
    def may_roll_out(self) -> bool:
        """Whether rollouts may be changed, which concern the devices of all tenants."""
        return self.may("operator") and self.tenant == ALL_TENANTS

    def manages(self, tenant: str) -> bool:
        """Return whether this is an admin of a tenant's users."""
        return self.may("admin") and self.tenant in (ALL_TENANTS, tenant)


NOBODY = Actor("", "viewer")
"""Everybody on this machine, as long as there are no users: they look, and change nothing."""
