"""Views of the page: each asks the store, and writes HTML."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from edgeagent.fleet.page.fleet_guard import actor_of_request, csrf_of
from edgeagent.fleet.page.fleet_services import FleetServices
from edgeagent.fleet.page.permalinks import LONGEST_VALUE, short_values, tenant_in
from edgeagent.fleet.page.query_values import condition_of, page_of, sort_of, span_of
from edgeagent.fleet.page.rollout_plans import PlanAction, dry_run, named_rollout
from edgeagent.fleet.page.short_cache import ShortCache
from edgeagent.fleet.page.views.alarms import write_alarms
from edgeagent.fleet.page.views.api_page import write_api_page
from edgeagent.fleet.page.views.audit import write_audit
from edgeagent.fleet.page.views.comparison import STAGES, ComparedSide, write_comparison
from edgeagent.fleet.page.views.device import write_device
from edgeagent.fleet.page.views.devices import write_devices
from edgeagent.fleet.page.views.fleet_frame import fleet_frame
from edgeagent.fleet.page.views.lost_list import write_lost
from edgeagent.fleet.page.views.models import write_models
from edgeagent.fleet.page.views.overview import LABEL, write_overview
from edgeagent.fleet.page.views.rollouts import write_confirmation, write_rollouts
from edgeagent.fleet.page.views.user_list import write_users
from edgeagent.fleet.queries.accuracy_claims import missed_claims
from edgeagent.fleet.queries.alarm_list import AlarmFilter, alarms_of_device, count_alarms, list_alarms
from edgeagent.fleet.queries.device_facts import device_facts
from edgeagent.fleet.queries.device_groups import GROUPS, device_groups, label_groups, label_names
from edgeagent.fleet.queries.device_history import device_history
from edgeagent.fleet.queries.device_list import DeviceFilter, count_devices, list_devices
from edgeagent.fleet.queries.device_log import device_log
from edgeagent.fleet.queries.filter_choices import filter_choices
from edgeagent.fleet.queries.fleet_glance import fleet_glance
from edgeagent.fleet.queries.fleet_totals import dead_letters, present_alarms, total_lost
from edgeagent.fleet.queries.lost_messages import lost_messages
from edgeagent.fleet.queries.model_figures import ModelFilter, model_figures, model_histogram
from edgeagent.fleet.queries.rollout_progress import failure_reasons, rollout_progress
from edgeagent.fleet.queries.table_age import table_age
from edgeagent.fleet.queries.update_effects import update_effects
from edgeagent.fleet.users.actor import Actor
from edgeagent.web.sessions import Visitor
from edgeagent.web.sign_in_pages import visitor_of
from edgeagent.web.static_files import StaticFiles
from edgeagent.web.views.layout import Page, write_document

AUDIT_ROWS = 100
MODULES = ("fleet.js",)


class FleetViews:
    """Views of the page.

    Args:
        services: that they ask.
        files: styles and modules.

    Attributes:
        routes: of the views.
    """

    def __init__(self, services: FleetServices, files: StaticFiles) -> None:
        self._services, self._store, self._files = services, services.store, files
        self._overviews: ShortCache[str] = ShortCache()  # each viewer asks every few seconds
        self.routes = [
            Route("/", self._overview),
            Route("/devices", self._devices),
            Route("/devices/{tenant}/{device}", self._device),
            Route("/models", self._models),
            Route("/compare", self._compare),
            Route("/rollouts", self._rollouts),
            Route("/rollouts/confirm", self._confirm),
            Route("/alarms", self._alarms),
            Route("/lost", self._lost),
            Route("/audit", self._audit),
            Route("/users", self.show_users),
            Route("/api", self._api),
        ]

    def document(
        self, page: Page, visitor: Visitor | None, actor: Actor | None = None, status: int = 200
    ) -> Response:
        """Return the answer with a view."""
        name = self._services.settings.name
        return HTMLResponse(write_document(page, name, self._files, visitor, fleet_frame(actor)), status)

    def answer(
        self, request: Request, name: str, title: str, content: str, current: str | None = None
    ) -> Response:
        """Return the answer to a visitor with a view; its parameters are those of :class:`Page`."""
        page = Page(name, title, content, MODULES, current=current)
        return self.document(page, visitor_of(request), actor_of_request(request))

    def _overview(self, request: Request) -> Response:
        tenant, by = actor_of_request(request).tenant, request.query_params.get("by", "board")[:LONGEST_VALUE]
        if not by.startswith(LABEL) and by not in GROUPS:
            by = "board"
        content = self._overviews.get((tenant, by), lambda: self._write_overview(tenant, by))
        query = f"?{request.url.query}" if request.url.query else ""
        page = Page("fleet", "Fleet", content, MODULES, refreshes=True, parts=f"/{query}")
        return self.document(page, visitor_of(request), actor_of_request(request))

    def _write_overview(self, tenant: str, by: str) -> str:
        if by.startswith(LABEL):
            groups = label_groups(self._store, tenant, by.removeprefix(LABEL))
        else:
            groups = device_groups(self._store, tenant, next(name for name in GROUPS if name == by))
        return write_overview(
            fleet_glance(self._store, tenant),
            by,
            groups,
            label_names(self._store, tenant),
            missed_claims(self._store, tenant),
            total_lost(self._store, tenant),
            table_age(self._store),
        )

    def _devices(self, request: Request) -> Response:
        query, tenant = request.query_params, actor_of_request(request).tenant
        condition, page = condition_of(query, DeviceFilter), page_of(query)
        key, descending = sort_of(query)
        content = write_devices(
            list_devices(self._store, tenant, condition, key, descending, page),
            count_devices(self._store, tenant, condition),
            condition,
            filter_choices(self._store, tenant),
            f"-{key}" if descending else key,
            page,
            table_age(self._store),
        )
        return self.answer(request, "devices", "Devices", content, "device")

    def _device(self, request: Request) -> Response:
        actor, span = actor_of_request(request), span_of(request.query_params, "24h")
        owner = tenant_in(request.path_params["tenant"])
        which = (self._store, actor.tenant, owner, request.path_params["device"])
        known = device_facts(*which)
        if known is None:
            raise HTTPException(404, "There is no such device, or it is of another tenant.")
        content = write_device(
            known,
            device_history(*which, span),
            device_log(*which),
            alarms_of_device(*which),
            [one for one in lost_messages(self._store, actor.tenant, known.device) if one.tenant == owner],
            span,
            actor,
            csrf_of(request),
            table_age(self._store),
        )
        return self.answer(request, "device", known.device, content)

    def _models(self, request: Request) -> Response:
        query, tenant = request.query_params, actor_of_request(request).tenant
        condition, span = condition_of(query, ModelFilter), span_of(query, "7d")
        figures = model_figures(self._store, tenant, condition, span)
        content = write_models(
            figures, update_effects(figures), condition, span, table_age(self._store, "models")
        )
        return self.answer(request, "models", "Models", content, "model")

    def _compare(self, request: Request) -> Response:
        query, tenant = request.query_params, actor_of_request(request).tenant
        span = span_of(query, "7d")
        stage = query.get("stage", "") if query.get("stage") in STAGES else "end_to_end"

        choices = model_figures(self._store, tenant, ModelFilter(), span)

        def side(prefix: str) -> ComparedSide:
            condition = condition_of(query, ModelFilter, prefix)
            figures = [one for one in choices if condition.holds(one)]
            buckets = model_histogram(self._store, tenant, condition, stage, span) if figures else {}
            return ComparedSide(condition, figures, buckets)

        content = write_comparison(side("a_"), side("b_"), choices, stage, span)
        return self.answer(request, "compare", "Compare", content, "model")

    def _rollouts(self, request: Request) -> Response:
        actor, plans = actor_of_request(request), self._services.plans
        content = write_rollouts(
            rollout_progress(self._store, actor.tenant),
            failure_reasons(self._store, actor.tenant),
            None if plans is None or not actor.of_all else plans.plans(),
            actor,
        )
        return self.answer(request, "rollouts", "Rollouts", content, "rollout")

    def _confirm(self, request: Request) -> Response:
        actor, plans = actor_of_request(request), self._services.plans
        given = short_values(dict(request.query_params))
        action: PlanAction | None = next(
            (one for one in ("halt", "resume", "advance") if one == given.get("action")), None
        )
        if plans is None or action is None or not actor.may_roll_out:
            raise HTTPException(404, "There is no such change of a rollout, or your role does not allow it.")
        plan = plans.find(named_rollout(given))
        if plan is None:
            raise HTTPException(404, "There is no such plan any more.")
        content = write_confirmation(plan, action, dry_run(plan, action), csrf_of(request))
        return self.answer(request, "confirm", "Rollouts", content, "rollout")

    def _alarms(self, request: Request) -> Response:
        query, actor = request.query_params, actor_of_request(request)
        condition, page = condition_of(query, AlarmFilter), page_of(query)
        content = write_alarms(
            list_alarms(self._store, actor.tenant, condition, page),
            count_alarms(self._store, actor.tenant, condition),
            condition,
            present_alarms(self._store, actor.tenant),
            page,
            actor,
            csrf_of(request),
        )
        return self.answer(request, "alarms", "Alarms", content, "warning")

    def _lost(self, request: Request) -> Response:
        tenant = actor_of_request(request).tenant
        content = write_lost(lost_messages(self._store, tenant), dead_letters(self._store, tenant))
        return self.answer(request, "lost", "Lost messages", content)

    def _audit(self, request: Request) -> Response:
        actor, query = actor_of_request(request), short_values(dict(request.query_params))
        if not actor.may("operator"):
            raise HTTPException(403, "The audit is for operators and admins.")
        before = query.get("before", "")
        number = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None
        search = query.get("search", "")
        rows = self._services.audit.rows(actor.tenant, AUDIT_ROWS, number, search)
        return self.answer(request, "audit", "Audit", write_audit(rows, search, AUDIT_ROWS))

    def show_users(self, request: Request, told: str | None = None, error: str | None = None) -> Response:
        """Return the users; ``told`` is a new token, ``error`` why a change was refused."""
        actor, users = actor_of_request(request), self._services.users
        if not actor.may("admin"):
            raise HTTPException(
                403,
                "Users are managed by admins; "
                "the first is added with `edgeagent fleet users add NAME --role admin`.",
            )
        known = [one for one in users.users() if actor.manages(one.tenant)]
        names = {one.name for one in known}
        tokens = [one for one in users.tokens() if one.user in names]
        content = write_users(known, tokens, actor, csrf_of(request), told, error)
        return self.answer(request, "users", "Users", content)

    def _api(self, request: Request) -> Response:
        return self.answer(request, "api", "API", write_api_page(request.app.state.openapi))
