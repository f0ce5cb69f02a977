"""Operations of the API. Its description is generated from the types of queries (OpenAPI 3.1).

``{tenant}`` in a path is ``-`` for devices without a tenant. Times are UTC, ISO 8601; what is not known is
null.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from edgeagent.errors import ConfigurationError, EdgeagentError
from edgeagent.fleet.api.api_actor import Address, Auditor, Operator, Reader, Services
from edgeagent.fleet.api.api_types import (
    AcknowledgedAlarm,
    AlarmPage,
    AlarmQuery,
    AuditEntryOut,
    DevicePage,
    DeviceQuery,
    LabelValue,
    RefusedRequest,
    Rollouts,
    ShortText,
    StageHistogram,
)
from edgeagent.fleet.operations.acknowledgement import AlarmKey, UnknownTargetError, acknowledge
from edgeagent.fleet.operations.device_labels import set_label
from edgeagent.fleet.page.fleet_services import FleetServices
from edgeagent.fleet.page.permalinks import tenant_in
from edgeagent.fleet.page.store_trouble import told_reason
from edgeagent.fleet.queries.accuracy_claims import MissedClaim, missed_claims
from edgeagent.fleet.queries.alarm_list import count_alarms, list_alarms
from edgeagent.fleet.queries.device_facts import KnownDevice, device_facts
from edgeagent.fleet.queries.device_groups import DeviceGroup, GroupBy, device_groups, label_groups
from edgeagent.fleet.queries.device_history import DeviceHistory, device_history
from edgeagent.fleet.queries.device_list import count_devices, list_devices
from edgeagent.fleet.queries.device_log import DeviceLog, device_log
from edgeagent.fleet.queries.fleet_glance import FleetGlance, fleet_glance
from edgeagent.fleet.queries.lost_messages import LostMessages, lost_messages
from edgeagent.fleet.queries.model_figures import (
    ModelFigures,
    ModelFilter,
    model_figures,
    model_histogram,
)
from edgeagent.fleet.queries.page_of_rows import PageOfRows
from edgeagent.fleet.queries.rollout_progress import failure_reasons, rollout_progress
from edgeagent.fleet.queries.time_span import SPAN, SpanName
from edgeagent.fleet.queries.update_effects import UpdateEffect, update_effects
from edgeagent.version import __version__

TITLE = "edgeagent fleet"
_TEXT = {"content": {"text/plain": {"schema": {"type": "string"}}}}
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": RefusedRequest, "description": "A value cannot be used."},
    401: {"description": "No token, or one of nobody.", **_TEXT},
    403: {"model": RefusedRequest, "description": "The role does not allow it."},
    404: {"model": RefusedRequest, "description": "It is not there, or is of another tenant."},
    429: {"description": "Too many requests.", **_TEXT},
    503: {"model": RefusedRequest, "description": "The store does not answer."},
}
Tenant = Annotated[str, Path(max_length=64, description="tenant of the device; - without one")]
DeviceName = Annotated[str, Path(max_length=128, description="name of the device")]
Span = Annotated[SpanName, Query(description="time up to now")]


class ModelQuery(ModelFilter):
    """Query of the figures of models."""

    span: SpanName = "7d"

    @property
    def condition(self) -> ModelFilter:
        """The conditions alone."""
        return ModelFilter(**self.model_dump(include=set(ModelFilter.model_fields)))


def fleet_api(services: FleetServices) -> FastAPI:
    """Return the ASGI application of the API.

    Args:
        services: that it works with.
    """
    api = FastAPI(
        title=TITLE,
        version=__version__,
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        servers=[{"url": "/api/v1"}],
        root_path_in_servers=False,
        responses=_ERRORS,
    )
    api.state.services = services
    api.add_exception_handler(EdgeagentError, _told)
    api.add_exception_handler(RequestValidationError, _invalid)
    _add_devices(api)
    _add_models(api)
    _add_alarms(api)
    return api


async def _told(_: Request, error: Exception) -> JSONResponse:
    status = (
        404
        if isinstance(error, UnknownTargetError)
        else 400
        if isinstance(error, ConfigurationError)
        else 503
    )
    assert isinstance(error, EdgeagentError)  # noqa: S101 (registered for it)
    return JSONResponse({"detail": told_reason(error)}, status)


async def _invalid(_: Request, error: Exception) -> Response:
    """Say what cannot be used, without repeating it: it may be long, or no Unicode."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 (registered for it)
    found = [{name: one[name] for name in ("loc", "msg", "type")} for one in error.errors()]
    return Response(json.dumps({"detail": found}), 422, media_type="application/json")


def _add_devices(api: FastAPI) -> None:
    @api.get("/fleet", summary="The fleet at a glance")
    def fleet(services: Services, actor: Reader) -> FleetGlance:
        return fleet_glance(services.store, actor.tenant)

    @api.get("/groups", summary="States of devices by what they have in common")
    def groups(
        services: Services,
        actor: Reader,
        by: GroupBy = "board",
        label: Annotated[ShortText, Query(description="by the value of this label instead")] = "",
    ) -> list[DeviceGroup]:
        if label:
            return label_groups(services.store, actor.tenant, label)
        return device_groups(services.store, actor.tenant, by)

    @api.get("/devices", summary="Devices by name, filters and order")
    def devices(services: Services, actor: Reader, query: Annotated[DeviceQuery, Query()]) -> DevicePage:
        page = PageOfRows(query.page, query.size)
        rows = list_devices(services.store, actor.tenant, query.condition, query.sort, query.descending, page)
        return DevicePage(count=count_devices(services.store, actor.tenant, query.condition), devices=rows)

    @api.get("/devices/{tenant}/{device}", summary="What is known of a device")
    def device(services: Services, actor: Reader, tenant: Tenant, device: DeviceName) -> KnownDevice:
        return _known(services, actor.tenant, tenant, device)

    @api.get("/devices/{tenant}/{device}/history", summary="Latency by stage, power, heat over time")
    def history(
        services: Services, actor: Reader, tenant: Tenant, device: DeviceName, span: Span = "24h"
    ) -> DeviceHistory:
        _known(services, actor.tenant, tenant, device)
        return device_history(services.store, actor.tenant, tenant_in(tenant), device, SPAN[span])

    @api.get("/devices/{tenant}/{device}/log", summary="Events, deployments and accuracy of a device")
    def log(
        services: Services,
        actor: Reader,
        tenant: Tenant,
        device: DeviceName,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> DeviceLog:
        _known(services, actor.tenant, tenant, device)
        return device_log(services.store, actor.tenant, tenant_in(tenant), device, limit)

    @api.put("/devices/{tenant}/{device}/labels/{label}", summary="Set or remove a label", status_code=204)
    def put_label(
        services: Services,
        actor: Operator,
        address: Address,
        tenant: Tenant,
        device: DeviceName,
        label: Annotated[str, Path(max_length=64, pattern="^[A-Za-z0-9_-]+$")],
        given: LabelValue,
    ) -> None:
        owner = tenant_in(tenant)
        set_label(services.store, services.audit, actor, address, owner, device, label, given.value)

    @api.get("/lost", summary="Lost messages: gaps in the numbers of streams")
    def lost(services: Services, actor: Reader, device: ShortText = "") -> list[LostMessages]:
        return lost_messages(services.store, actor.tenant, device)


def _add_models(api: FastAPI) -> None:
    @api.get("/models", summary="Latency, energy and accuracy by model, board and delegate")
    def models(
        services: Services, actor: Reader, query: Annotated[ModelQuery, Query()]
    ) -> list[ModelFigures]:
        return model_figures(services.store, actor.tenant, query.condition, SPAN[query.span])

    @api.get("/models/effects", summary="What each update changed")
    def effects(
        services: Services, actor: Reader, query: Annotated[ModelQuery, Query()]
    ) -> list[UpdateEffect]:
        return update_effects(model_figures(services.store, actor.tenant, query.condition, SPAN[query.span]))

    @api.get("/models/histogram/{stage}", summary="Merged histogram of a stage")
    def histogram(
        services: Services,
        actor: Reader,
        stage: Annotated[str, Path(max_length=64)],
        query: Annotated[ModelQuery, Query()],
    ) -> StageHistogram:
        buckets = model_histogram(services.store, actor.tenant, query.condition, stage, SPAN[query.span])
        return StageHistogram(stage=stage, buckets=buckets)

    @api.get("/accuracy/below-claim", summary="Devices that measure less than their bundle claims")
    def below(services: Services, actor: Reader) -> list[MissedClaim]:
        return missed_claims(services.store, actor.tenant)

    @api.get("/rollouts", summary="Progress by cohort, reasons of failures, plans")
    def rollouts(services: Services, actor: Reader) -> Rollouts:
        return Rollouts(
            progress=rollout_progress(services.store, actor.tenant),
            reasons=failure_reasons(services.store, actor.tenant),
            plans=None if services.plans is None or not actor.of_all else services.plans.plans(),
        )


def _add_alarms(api: FastAPI) -> None:
    @api.get("/alarms", summary="Alarms, present ones first")
    def alarms(services: Services, actor: Reader, query: Annotated[AlarmQuery, Query()]) -> AlarmPage:
        page = PageOfRows(query.page, query.size)
        rows = list_alarms(services.store, actor.tenant, query.condition, page)
        return AlarmPage(count=count_alarms(services.store, actor.tenant, query.condition), alarms=rows)

    @api.post("/alarms/acknowledge", summary="Acknowledge an alarm", status_code=204)
    def acknowledge_alarm(
        services: Services, actor: Operator, address: Address, given: AcknowledgedAlarm
    ) -> None:
        alarm = AlarmKey(given.tenant, given.device, given.code, given.camera, given.since)
        acknowledge(services.store, services.audit, actor, address, alarm, given.note)

    @api.get("/audit", summary="Who did what, newest first")
    def audit(
        services: Services,
        actor: Auditor,
        search: ShortText = "",
        before: Annotated[int | None, Query(ge=1, le=2**53)] = None,
        size: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[AuditEntryOut]:
        rows = services.audit.rows(actor.tenant, size, before, search)
        return [AuditEntryOut.model_validate(row, from_attributes=True) for row in rows]


def _known(services: FleetServices, tenant: str, owner: str, device: str) -> KnownDevice:
    found = device_facts(services.store, tenant, tenant_in(owner), device)
    if found is None:
        raise HTTPException(404, "There is no such device, or it is of another tenant.")
    return found
