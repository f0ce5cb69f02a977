"""Where is accuracy below the claim? Devices whose golden run is below what the bundle claims, worst first."""

from __future__ import annotations

from edgeagent.fleet.queries.device_state import MODEL
from edgeagent.fleet.queries.fleet_row import FleetRow, UtcTime, read_records
from edgeagent.fleet.queries.tenant_filter import OF_TENANT
from edgeagent.fleet.store.protocol import FleetStore

MOST_CLAIMS = 100
STATEMENT = f"""
SELECT tenant, device, {MODEL} AS model, board, delegate, assumeNotNull(map50_95) AS map50_95,
    assumeNotNull(map_claimed) AS map_claimed, accuracy_time
FROM devices FINAL WHERE {OF_TENANT} AND map50_95 < map_claimed
ORDER BY map_claimed - map50_95 DESC, tenant, device LIMIT {MOST_CLAIMS}"""


class MissedClaim(FleetRow):
    """Device whose measured accuracy is below the claim of its bundle."""

    tenant: str
    device: str
    model: str | None
    board: str | None
    delegate: str | None
    map50_95: float
    map_claimed: float
    accuracy_time: UtcTime | None


def missed_claims(store: FleetStore, tenant: str) -> list[MissedClaim]:
    """Return devices below their claim, at most :data:`MOST_CLAIMS`.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    return read_records(store, MissedClaim, STATEMENT, {"tenant": tenant})
