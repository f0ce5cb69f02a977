"""Which alarms are present, or have ended since yesterday?"""

from __future__ import annotations

from edgeagent.fleet.queries.fleet_row import FleetRow, UtcTime, read_records
from edgeagent.fleet.store.protocol import FleetStore

MOST_RECENT = 20_000
STATEMENT = f"""
SELECT tenant, device, code, camera, since, text, ended FROM problems FINAL
WHERE isNull(ended) OR ended > now() - 86400
ORDER BY since DESC, tenant, device, code, camera LIMIT {MOST_RECENT}"""


class RecentAlarm(FleetRow):
    """Alarm of a device; ``ended`` is None while it lasts, ``camera`` "" for one of the whole device."""

    tenant: str
    device: str
    code: str
    camera: str
    since: UtcTime
    text: str
    ended: UtcTime | None


def recent_alarms(store: FleetStore) -> list[RecentAlarm]:
    """Return alarms of all tenants, newest first, at most :data:`MOST_RECENT`.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    return read_records(store, RecentAlarm, STATEMENT, {})
