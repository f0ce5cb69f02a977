"""Who makes a request to the API, and what they may do."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, HTTPException, Request

from edgeagent.fleet.page.fleet_guard import actor_of_request, address_of
from edgeagent.fleet.page.fleet_services import FleetServices
from edgeagent.fleet.users.actor import Actor, Role
from edgeagent.web.sign_in_pages import WRITE_HEADER, visitor_of


def services_of(request: Request) -> FleetServices:
    """Return what the API works with."""
    return cast(FleetServices, request.app.state.services)


def operator_of(request: Request) -> Actor:
    """Return who writes.

    Raises:
        HTTPException: the role does not allow it, or a session's write does not repeat its value (403).
    """
    return _writer(request, "operator")


def auditor_of(request: Request) -> Actor:
    """Return who reads the audit.

    Raises:
        HTTPException: the role does not allow it (403).
    """
    actor = actor_of_request(request)
    if not actor.may("operator"):
        raise HTTPException(403, f"This needs the role operator; yours is {actor.role}.")
    return actor


def _writer(request: Request, role: Role) -> Actor:
    actor, visitor = actor_of_request(request), visitor_of(request)
    if visitor is None or not visitor.may_write(request.headers.get(WRITE_HEADER, "")):
        raise HTTPException(403, f"Use a token, or send {WRITE_HEADER} with the value of a page.")
    if not actor.may(role):
        audit = services_of(request).audit
        audit.note(actor, f"api {request.method}", request.url.path, address_of(request), done=False)
        raise HTTPException(403, f"This needs the role {role}; yours is {actor.role}.")
    return actor


Services = Annotated[FleetServices, Depends(services_of)]
Reader = Annotated[Actor, Depends(actor_of_request)]
Operator = Annotated[Actor, Depends(operator_of)]
Auditor = Annotated[Actor, Depends(auditor_of)]
Address = Annotated[str, Depends(address_of)]
