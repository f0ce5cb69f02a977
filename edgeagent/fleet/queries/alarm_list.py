"""Which alarms are there, and who has acknowledged them?"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from edgeagent.fleet.queries.fleet_row import FleetRow, UtcTime
from edgeagent.fleet.queries.page_of_rows import PageOfRows
from edgeagent.fleet.queries.tenant_filter import OF_TENANT
from edgeagent.fleet.store.protocol import FleetStore

_ROWS = f"""
FROM (
    SELECT p.tenant AS tenant, p.device AS device, p.code AS code, p.camera AS camera, p.since AS since,
        p.text AS text, p.seen AS seen, p.ended AS ended, a.by AS acknowledged_by, a.at AS acknowledged_at,
        a.note AS note
    FROM (SELECT * FROM problems FINAL WHERE {OF_TENANT}
        AND ({{code:String}} = '' OR code = {{code:String}})
        AND ({{search:String}} = '' OR positionCaseInsensitiveUTF8(device, {{search:String}}) > 0)
        AND ({{which:String}} IN ('all', '') OR ({{which:String}} = 'ended') = isNotNull(ended))) AS p
    LEFT JOIN (SELECT * FROM acknowledgements FINAL WHERE {OF_TENANT}) AS a
    USING (tenant, device, code, camera, since))
WHERE {{which:String}} != 'open' OR acknowledged_by = ''"""
COUNT = f"SELECT count() {_ROWS}"
LIST = f"""
SELECT * {_ROWS}
ORDER BY isNotNull(ended), since DESC, tenant, device, code, camera
LIMIT {{limit:UInt32}} OFFSET {{offset:UInt64}}"""
OF_DEVICE = f"""
SELECT p.tenant AS tenant, p.device AS device, p.code AS code, p.camera AS camera, p.since AS since, p.text AS text,
    p.seen AS seen, p.ended AS ended, a.by AS acknowledged_by, a.at AS acknowledged_at, a.note AS note
FROM (SELECT * FROM problems FINAL
    WHERE {OF_TENANT} AND tenant = {{owner:String}} AND device = {{device:String}}) AS p
LEFT JOIN (SELECT * FROM acknowledgements FINAL
    WHERE {OF_TENANT} AND tenant = {{owner:String}} AND device = {{device:String}}) AS a
USING (tenant, device, code, camera, since)
ORDER BY isNotNull(ended), since DESC, code, camera LIMIT {{limit:UInt32}}"""
ONE = f"""
SELECT count() FROM problems FINAL WHERE {OF_TENANT} AND tenant = {{owner:String}} AND device = {{device:String}}
    AND code = {{code:String}} AND camera = {{camera:String}} AND since = {{since:DateTime64(3, 'UTC')}}"""


class AlarmFilter(BaseModel):
    """Conditions, all of which hold.

    Attributes:
        which: ``open``: present and not acknowledged; ``present``; ``ended``; ``all``.
        code: of the alarm; "" for all.
        search: part of the device's name.
    """

    model_config = ConfigDict(frozen=True)

    which: Literal["open", "present", "ended", "all"] = "open"
    code: str = ""
    search: str = ""

    def parameters(self, tenant: str) -> dict[str, Any]:
        """Return the parameters of a statement."""
        return {**self.model_dump(), "tenant": tenant}


class FleetAlarm(FleetRow):
    """Alarm of a device.

    Attributes:
        tenant, device, camera: names; ``camera`` is "" for an alarm of the whole device.
        code, text: of the problem.
        since, seen, ended: beginning, newest message with it, and end; ``ended`` is None while it lasts.
        acknowledged_by, acknowledged_at, note: of the acknowledgement; None without one.
    """

    tenant: str
    device: str
    camera: str
    code: str
    text: str
    since: UtcTime
    seen: UtcTime
    ended: UtcTime | None
    acknowledged_by: str | None
    acknowledged_at: UtcTime | None
    note: str | None


def list_alarms(
    store: FleetStore,
    tenant: str,
    condition: AlarmFilter = AlarmFilter(),  # noqa: B008 (frozen)
    page: PageOfRows = PageOfRows(),  # noqa: B008
) -> list[FleetAlarm]:
    """Return a part of the alarms: present ones first, then the newest.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    records = store.query(LIST, {**condition.parameters(tenant), **page.parameters}).records()
    return [FleetAlarm.model_validate(_acknowledged(record)) for record in records]


def count_alarms(store: FleetStore, tenant: str, condition: AlarmFilter) -> int:
    """Return the number of alarms that fulfil a condition.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    return int(store.query(COUNT, condition.parameters(tenant)).rows[0][0])


def _acknowledged(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record in which what a join has filled in is None."""
    if record["acknowledged_by"]:
        return record
    return {**record, "acknowledged_by": None, "acknowledged_at": None, "note": None}


def alarm_exists(
    store: FleetStore, tenant: str, owner: str, device: str, code: str, camera: str, since: datetime
) -> bool:
    """Return whether a visitor of a tenant sees this alarm.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    parameters = {"owner": owner, "device": device, "code": code, "camera": camera, "since": since}
    return bool(store.query(ONE, {**parameters, "tenant": tenant}).rows[0][0])


def alarms_of_device(
    store: FleetStore, tenant: str, owner: str, device: str, limit: int = 20
) -> list[FleetAlarm]:
    """Return alarms of a device: present ones first, then the newest.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    parameters = {"tenant": tenant, "owner": owner, "device": device, "limit": limit}
    records = store.query(OF_DEVICE, parameters).records()
    return [FleetAlarm.model_validate(_acknowledged(record)) for record in records]
