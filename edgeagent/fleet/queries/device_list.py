"""Which devices are there? Found by text and filters, sorted, in parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

from edgeagent.fleet.queries.device_state import MODEL, STATE, DeviceState
from edgeagent.fleet.queries.fleet_row import FleetRow, UtcTime, read_records
from edgeagent.fleet.queries.page_of_rows import PageOfRows
from edgeagent.fleet.queries.tenant_filter import OF_TENANT
from edgeagent.fleet.store.protocol import FleetStore

SortKey = Literal[
    "device", "state", "board", "model", "delegate", "agent", "fps", "p50", "p99", "watts", "joules", "temperature",
    "map", "last",
]  # fmt: skip
SORT_KEYS: tuple[SortKey, ...] = get_args(SortKey)
_COLUMNS: dict[SortKey, str] = {
    "device": "device",
    "state": "state",
    "board": "board",
    "model": "model",
    "delegate": "delegate",
    "agent": "agent",
    "fps": "fps",
    "p50": "p50_ms",
    "p99": "p99_ms",
    "watts": "watts",
    "joules": "joules_per_inference",
    "temperature": "temperature_c",
    "map": "map50_95",
    "last": "last_stored",
}
MOST_EXPORTED = 1_000_000

_CONDITIONS = f"""{OF_TENANT}
    AND ({{search:String}} = '' OR positionCaseInsensitiveUTF8(device, {{search:String}}) > 0)
    AND ({{state:String}} = '' OR state = {{state:String}})
    AND ({{board:String}} = '' OR board = {{board:String}})
    AND ({{model:String}} = '' OR model = {{model:String}})
    AND ({{delegate:String}} = '' OR delegate = {{delegate:String}})
    AND ({{agent:String}} = '' OR agent = {{agent:String}})
    AND ({{alarm:String}} = '' OR has(problem_codes, {{alarm:String}}))
    AND ({{label:String}} = '' OR (tenant, device) IN (
        SELECT tenant, device FROM labels FINAL
        WHERE label = {{label:String}} AND value = {{value:String}} AND value != '' AND {OF_TENANT}))"""
_ROWS = f"""
FROM (SELECT *, {STATE} AS state, {MODEL} AS model FROM devices FINAL) WHERE {_CONDITIONS}"""
_SHOWN = """tenant, device, state, board, model, delegate, agent, fps, p50_ms, p90_ms, p99_ms, watts, power_quality,
    joules_per_inference, temperature_c, map50_95, map_claimed, problem_codes, last_stored"""
COUNT = f"SELECT count() {_ROWS}"
_LISTS = {
    (
        key,
        descending,
    ): f"SELECT {_SHOWN} {_ROWS} ORDER BY {column} {'DESC' if descending else 'ASC'} NULLS LAST, "
    "tenant, device LIMIT {limit:UInt32} OFFSET {offset:UInt64}"
    for key, column in _COLUMNS.items()
    for descending in (False, True)
}
EXPORT = f"SELECT {_SHOWN} {_ROWS} ORDER BY tenant, device LIMIT {MOST_EXPORTED}"


class DeviceFilter(BaseModel):
    """Conditions, all of which hold; an empty one is none.

    Attributes:
        search: part of the device's name, large and small letters alike.
        state: as in :mod:`~edgeagent.fleet.queries.device_state`.
        board, model, delegate, agent: values; a model is name and version with a blank between.
        alarm: code of an alarm that the device has.
        label, value: of the device; both or none.
    """

    model_config = ConfigDict(frozen=True)

    search: str = ""
    state: DeviceState | Literal[""] = ""
    board: str = ""
    model: str = ""
    delegate: str = ""
    agent: str = ""
    alarm: str = ""
    label: str = ""
    value: str = ""

    def parameters(self, tenant: str) -> dict[str, Any]:
        """Return the parameters of a statement."""
        return {**self.model_dump(), "tenant": tenant}

    @property
    def given(self) -> Mapping[str, str]:
        """The conditions that are given."""
        return {name: value for name, value in self.model_dump().items() if value}


class DeviceRow(FleetRow):
    """Device in a list; numbers are those of its newest telemetry.

    Attributes:
        tenant, device: names.
        state: as in :mod:`~edgeagent.fleet.queries.device_state`.
        board, model, delegate, agent: board, name and version of the model, delegate, version of the agent.
        fps: processed frames per second.
        p50_ms, p90_ms, p99_ms: end to end, of the 15 minutes up to the newest telemetry; None with fewer than
            5, 64 and 662 frames in them.
        watts, power_quality: power, and how it is known.
        joules_per_inference: energy above the idle baseline.
        temperature_c: of the hottest sensor.
        map50_95, map_claimed: accuracy on the golden pictures, and what the bundle claims.
        problem_codes: present alarms.
        last_stored: when its newest message was stored.
    """

    tenant: str
    device: str
    state: DeviceState
    board: str | None
    model: str | None
    delegate: str | None
    agent: str | None
    fps: float | None
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    watts: float | None
    power_quality: str | None
    joules_per_inference: float | None
    temperature_c: float | None
    map50_95: float | None
    map_claimed: float | None
    problem_codes: list[str]
    last_stored: UtcTime


def list_devices(
    store: FleetStore,
    tenant: str,
    condition: DeviceFilter,
    sort: SortKey = "device",
    descending: bool = False,
    page: PageOfRows = PageOfRows(),  # noqa: B008 (frozen)
) -> list[DeviceRow]:
    """Return a part of the devices.

    Args:
        store: to ask.
        tenant: whose devices.
        condition: that they fulfil.
        sort: key; devices without a value come last.
        descending: the greatest first.
        page: part of the list.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    parameters = {**condition.parameters(tenant), **page.parameters}
    return read_records(store, DeviceRow, _LISTS[sort, descending], parameters)


def count_devices(store: FleetStore, tenant: str, condition: DeviceFilter) -> int:
    """Return the number of devices that fulfil a condition.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    return int(store.query(COUNT, condition.parameters(tenant)).rows[0][0])
