"""Writes of the page: forms of people with the role for them, each audited before it is done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from edgeagent.errors import ConfigurationError
from edgeagent.fleet.operations.acknowledgement import AlarmKey, acknowledge
from edgeagent.fleet.operations.device_labels import set_label
from edgeagent.fleet.page.fleet_guard import actor_of_request, address_of
from edgeagent.fleet.page.fleet_services import FleetServices
from edgeagent.fleet.page.fleet_views import FleetViews
from edgeagent.fleet.page.permalinks import device_place, tenant_in
from edgeagent.fleet.page.rollout_plans import PlanAction, named_rollout
from edgeagent.fleet.page.views.fleet_frame import PLACES
from edgeagent.fleet.users.actor import Actor, Role
from edgeagent.fleet.users.user_store import unknown_user
from edgeagent.web.request_body import read_form
from edgeagent.web.sign_in_pages import check_write, local_place

DAY_S = 86_400.0


class FleetActions:
    """Writes of the page.

    Args:
        services: that are changed.
        views: that follow.

    Attributes:
        routes: of the writes.
    """

    def __init__(self, services: FleetServices, views: FleetViews) -> None:
        self._services, self._views = services, views
        self.routes = [
            Route("/alarms/acknowledge", self._acknowledge, methods=["POST"]),
            Route("/devices/{tenant}/{device}/labels", self._label, methods=["POST"]),
            Route("/rollouts/change", self._change_plan, methods=["POST"]),
            *(
                Route(f"/users/{name}", self._users_action(name), methods=["POST"])
                for name in ("add", "remove", "issue", "revoke")
            ),
        ]

    async def _form(self, request: Request, role: Role, action: str) -> tuple[Actor, dict[str, str]]:
        """Return who writes, and the fields; a write without the rights is refused, and audited."""
        form, actor = await read_form(request), actor_of_request(request)
        check_write(request, form.get("csrf", ""))
        if not actor.may(role):
            self._services.audit.note(actor, action, request.url.path, address_of(request), done=False)
            raise HTTPException(403, f"This needs the role {role}; yours is {actor.role}.")
        return actor, form

    async def _acknowledge(self, request: Request) -> Response:
        actor, form = await self._form(request, "operator", "acknowledge")
        try:
            since = datetime.fromisoformat(form.get("since", "").replace("Z", "+00:00"))
            if since.tzinfo is None:
                raise ValueError
        except ValueError as error:
            raise HTTPException(400, "since: expected a time.") from error
        alarm = AlarmKey(
            form.get("tenant", ""),
            form.get("device", ""),
            form.get("code", ""),
            form.get("camera", ""),
            since,
        )
        services, note = self._services, form.get("note", "")
        address = address_of(request)
        await run_in_threadpool(acknowledge, services.store, services.audit, actor, address, alarm, note)
        return RedirectResponse(local_place(form.get("next", "/alarms"), PLACES), 303)

    async def _label(self, request: Request) -> Response:
        actor, form = await self._form(request, "operator", "label")
        owner, device = tenant_in(request.path_params["tenant"]), request.path_params["device"]
        services, label, value = self._services, form.get("label", ""), form.get("value", "")
        try:
            await run_in_threadpool(
                set_label,
                services.store,
                services.audit,
                actor,
                address_of(request),
                owner,
                device,
                label,
                value,
            )
        except ConfigurationError as error:
            raise HTTPException(400, str(error)) from error
        return RedirectResponse(device_place(owner, device), 303)

    async def _change_plan(self, request: Request) -> Response:
        actor, form = await self._form(request, "operator", "rollout")
        if not actor.may_roll_out:
            self._services.audit.note(actor, "rollout", request.url.path, address_of(request), done=False)
            raise HTTPException(
                403, "A rollout concerns all tenants; a user of one tenant does not change it."
            )
        plans, wanted = self._services.plans, form.get("action", "")
        action: PlanAction | None = next(
            (one for one in ("halt", "resume", "advance") if one == wanted), None
        )
        if plans is None or action is None or not actor.of_all:
            raise HTTPException(404, "There is no such change of a rollout.")
        which = named_rollout(form)
        reason = form.get("reason", "").strip()[:300] or "no reason given"
        self._services.audit.note(actor, f"rollout {action}", which.title, address_of(request), detail=reason)
        try:
            await run_in_threadpool(plans.change, which, action, actor.name, reason)
        except ConfigurationError as error:
            raise HTTPException(409, str(error)) from error
        return RedirectResponse("/rollouts", 303)

    def _users_action(self, name: str) -> Callable[[Request], object]:
        async def answer(request: Request) -> Response:
            actor, form = await self._form(request, "admin", f"user {name}")
            target = "/".join(filter(None, (form.get("user", ""), form.get("name", ""))))
            self._services.audit.note(
                actor, f"user {name}", target, address_of(request), detail=form.get("role", "")
            )
            try:
                told = await run_in_threadpool(self._change_users, name, form, actor)
            except ConfigurationError as error:
                response = await run_in_threadpool(self._views.show_users, request, None, str(error))
                response.status_code = 400
                return response
            if told is not None:
                return await run_in_threadpool(self._views.show_users, request, told)
            return RedirectResponse("/users", 303)

        return answer

    def _change_users(self, name: str, form: dict[str, str], actor: Actor) -> str | None:
        users, user = self._services.users, form.get("user" if name in ("issue", "revoke") else "name", "")
        if name == "add":
            tenant = form.get("tenant", "")
            if not actor.manages(tenant):
                raise ConfigurationError(f"tenant {tenant[:80]!r}: you add users of {actor.tenant!r} only")
            users.add(form.get("name", ""), form.get("password", ""), form.get("role", ""), tenant)
        elif not users.managed_by(actor, user):
            raise unknown_user(user)
        elif name == "remove":
            if user == actor.name.partition("/")[0]:  # also by a token
                raise ConfigurationError("you cannot remove yourself; another admin can")
            users.remove(user)
        elif name == "issue":
            days = form.get("days", "")
            if days and not (days.isascii() and days.isdigit() and len(days) < 5 and int(days)):
                raise ConfigurationError(f"days {days[:20]!r}: expected a number from 1 to 9999, or nothing")
            lasts_s = DAY_S * int(days) if days else None
            return users.issue(user, form.get("name", ""), form.get("role"), lasts_s)
        else:
            users.revoke(user, form.get("name", ""))
        return None
