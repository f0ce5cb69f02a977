"""The lists of the page as files: with the same filters, whole instead of in parts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from edgeagent.fleet.page.csv_text import csv_lines
from edgeagent.fleet.page.fleet_guard import actor_of_request, address_of
from edgeagent.fleet.page.fleet_services import FleetServices
from edgeagent.fleet.page.parquet_file import parquet_chunks
from edgeagent.fleet.page.query_values import condition_of, sort_of, span_of
from edgeagent.fleet.queries.alarm_list import AlarmFilter, FleetAlarm, list_alarms
from edgeagent.fleet.queries.device_list import MOST_EXPORTED, DeviceFilter, DeviceRow, list_devices
from edgeagent.fleet.queries.fleet_row import FleetRow
from edgeagent.fleet.queries.model_figures import ModelFigures, ModelFilter, model_figures
from edgeagent.fleet.queries.page_of_rows import MOST_ROWS, PageOfRows

FORMS = {
    "csv": (csv_lines, "text/csv; charset=utf-8"),
    "parquet": (parquet_chunks, "application/vnd.apache.parquet"),
}


class FleetExports:
    """Files with lists.

    Args:
        services: that are asked.

    Attributes:
        routes: of the files.
    """

    def __init__(self, services: FleetServices) -> None:
        self._store, self._audit = services.store, services.audit
        self.routes = [
            Route("/devices.{form}", self._devices),
            Route("/models.{form}", self._models),
            Route("/alarms.{form}", self._alarms),
        ]

    def _devices(self, request: Request) -> Response:
        tenant, condition = actor_of_request(request).tenant, condition_of(request.query_params, DeviceFilter)
        key, descending = sort_of(request.query_params)

        def rows() -> Iterator[DeviceRow]:
            for number in range(1, MOST_EXPORTED // MOST_ROWS + 1):
                page = PageOfRows(number, MOST_ROWS)
                part = list_devices(self._store, tenant, condition, key, descending, page)
                yield from part
                if len(part) < MOST_ROWS:
                    return

        return self._file(request, "devices", DeviceRow, rows())

    def _models(self, request: Request) -> Response:
        query, tenant = request.query_params, actor_of_request(request).tenant
        rows = model_figures(self._store, tenant, condition_of(query, ModelFilter), span_of(query, "7d"))
        return self._file(request, "models", ModelFigures, iter(rows))

    def _alarms(self, request: Request) -> Response:
        tenant, condition = actor_of_request(request).tenant, condition_of(request.query_params, AlarmFilter)

        def rows() -> Iterator[FleetAlarm]:
            for number in range(1, MOST_EXPORTED // MOST_ROWS + 1):
                part = list_alarms(self._store, tenant, condition, PageOfRows(number, MOST_ROWS))
                yield from part
                if len(part) < MOST_ROWS:
                    return

        return self._file(request, "alarms", FleetAlarm, rows())

    def _file(self, request: Request, name: str, kind: type[FleetRow], rows: Iterator[FleetRow]) -> Response:
        form = request.path_params["form"]
        if form not in FORMS:
            raise HTTPException(404, f"Lists are given as {' and '.join(FORMS)}.")
        write, media_type = FORMS[form]
        self._audit.note(actor_of_request(request), "export", f"{name}.{form}", address_of(request))
        headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
        chunks = write(kind, rows)
        first = next(chunks, b"")  # now, so that a store that is away is told
        return StreamingResponse(chain((first,), chunks), media_type=media_type, headers=headers)
