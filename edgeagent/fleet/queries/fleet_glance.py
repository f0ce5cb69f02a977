"""What is the whole fleet doing? Numbers of devices by state and by alarm."""

from __future__ import annotations

from edgeagent.fleet.queries.device_state import ONLINE, STATE, STATES
from edgeagent.fleet.queries.fleet_row import FleetRow, UtcTime
from edgeagent.fleet.queries.tenant_filter import OF_TENANT
from edgeagent.fleet.store.protocol import FleetStore

BY_STATE = f"""
SELECT {STATE} AS state, count() AS devices, max(last_stored) AS newest, sum(ifNull(devices.fps, 0)) AS fps,
    sum(ifNull(devices.watts, 0)) AS watts, countIf(isNotNull(devices.watts)) AS measured
FROM devices FINAL WHERE {OF_TENANT} GROUP BY state"""

BY_PROBLEM = f"""
SELECT code, count() AS devices FROM (
    SELECT arrayJoin(arrayDistinct(problem_codes)) AS code FROM devices FINAL
    WHERE {OF_TENANT} AND ifNull(status, '') NOT IN ('offline', 'stopped'))
GROUP BY code ORDER BY devices DESC, code LIMIT 50"""


class FleetGlance(FleetRow):
    """The fleet at a glance.

    Attributes:
        devices: number of all devices.
        online: of those that are connected.
        states: number by state; each state is there.
        problems: number of connected devices by code of an alarm, most first.
        fps: processed frames per second of all connected devices.
        watts: power of the connected devices that measure it; None where none does.
        measured: number of these.
        newest: time at which the newest message was stored; None without a device.
    """

    devices: int
    online: int
    states: dict[str, int]
    problems: dict[str, int]
    fps: float
    watts: float | None
    measured: int
    newest: UtcTime | None


def fleet_glance(store: FleetStore, tenant: str) -> FleetGlance:
    """Return the fleet at a glance.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    found = {row["state"]: row for row in store.query(BY_STATE, {"tenant": tenant}).records()}
    problems = store.query(BY_PROBLEM, {"tenant": tenant}).rows
    states: dict[str, int] = {
        state: int(found[state]["devices"]) if state in found else 0 for state in STATES
    }
    online = [found[state] for state in ONLINE if state in found]
    measured = sum(int(row["measured"]) for row in online)
    return FleetGlance(
        devices=sum(states.values()),
        online=sum(states[state] for state in ONLINE),
        states=states,
        problems={str(code): int(devices) for code, devices in problems},
        fps=sum(float(row["fps"]) for row in online),
        watts=sum(float(row["watts"]) for row in online) if measured else None,
        measured=measured,
        newest=max((row["newest"] for row in found.values()), default=None),
    )
