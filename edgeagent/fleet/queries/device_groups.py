"""How are parts of the fleet doing? States of the devices of each board, model, delegate or label."""

from __future__ import annotations

from typing import Literal, get_args

from edgeagent.fleet.queries.device_state import MODEL, STATE
from edgeagent.fleet.queries.fleet_row import FleetRow, read_records
from edgeagent.fleet.queries.tenant_filter import OF_TENANT
from edgeagent.fleet.store.protocol import FleetStore

GroupBy = Literal["board", "model", "delegate", "agent", "tenant"]
GROUPS: tuple[GroupBy, ...] = get_args(GroupBy)
MOST_GROUPS = 200

_EXPRESSIONS: dict[GroupBy, str] = {
    "board": "board",
    "model": MODEL,
    "delegate": "delegate",
    "agent": "agent",
    "tenant": "tenant",
}
_COUNTS = """count() AS devices, countIf(state = 'detecting') AS detecting,
    countIf(state = 'degraded') AS degraded,
    countIf(state = 'not detecting') AS not_detecting, countIf(state = 'lost') AS lost,
    countIf(state IN ('stopped', 'unknown')) AS other"""
_STATEMENTS = {
    name: f"""
SELECT name, {_COUNTS} FROM (
    SELECT ifNull(toString({expression}), '') AS name, {STATE} AS state FROM devices FINAL WHERE {OF_TENANT})
GROUP BY name ORDER BY devices DESC, name LIMIT {MOST_GROUPS}"""
    for name, expression in _EXPRESSIONS.items()
}
BY_LABEL = f"""
SELECT name, {_COUNTS} FROM (
    SELECT ifNull(l.value, '') AS name, d.state AS state
    FROM (SELECT tenant, device, {STATE} AS state FROM devices FINAL WHERE {OF_TENANT}) AS d
    LEFT JOIN (
        SELECT tenant, device, value FROM labels FINAL WHERE label = {{label:String}} AND {OF_TENANT}) AS l
    ON d.tenant = l.tenant AND d.device = l.device)
GROUP BY name ORDER BY devices DESC, name LIMIT {MOST_GROUPS}
SETTINGS join_algorithm = 'full_sorting_merge'"""
LABEL_NAMES = f"""
SELECT label FROM labels FINAL WHERE value != '' AND {OF_TENANT}
GROUP BY label ORDER BY count() DESC, label LIMIT 50"""


class DeviceGroup(FleetRow):
    """Devices with one thing in common.

    Attributes:
        name: of it; "" where it is not known.
        devices: number of devices.
        detecting, degraded, not_detecting, lost, other: of them by state; ``other`` are stopped or unknown.
    """

    name: str
    devices: int
    detecting: int
    degraded: int
    not_detecting: int
    lost: int
    other: int


def device_groups(store: FleetStore, tenant: str, by: GroupBy) -> list[DeviceGroup]:
    """Return groups, largest first, at most :data:`MOST_GROUPS`.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    return read_records(store, DeviceGroup, _STATEMENTS[by], {"tenant": tenant})


def label_groups(store: FleetStore, tenant: str, label: str) -> list[DeviceGroup]:
    """Return groups by the value of a label; "" are the devices without it.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    return read_records(store, DeviceGroup, BY_LABEL, {"tenant": tenant, "label": label})


def label_names(store: FleetStore, tenant: str) -> list[str]:
    """Return the names of labels that devices have, most used first.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    return [str(row[0]) for row in store.query(LABEL_NAMES, {"tenant": tenant}).rows]
