"""Where is accuracy below the claim, by more than its tolerance? Devices by their golden run, worst first."""

from __future__ import annotations

from edgeagent.fleet.queries.device_state import MODEL
from edgeagent.fleet.queries.fleet_row import FleetRow, UtcTime, read_records
from edgeagent.fleet.queries.tenant_filter import OF_TENANT
from edgeagent.fleet.store.protocol import FleetStore

MOST_CLAIMS = 100
BELOW = "v.map50_95 < v.map_claimed - ifNull(v.map_tolerance, 0)"
"""Whether the accuracy that a device ``v`` has measured is below the claim by more than its tolerance."""
STATEMENT = f"""
SELECT tenant, device, {MODEL} AS model, board, delegate, assumeNotNull(v.map50_95) AS map50_95,
    assumeNotNull(v.map_claimed) AS map_claimed, map_tolerance, accuracy_time
FROM devices AS v FINAL WHERE {OF_TENANT} AND {BELOW}
ORDER BY v.map_claimed - v.map50_95 DESC, tenant, device LIMIT {MOST_CLAIMS}"""


class MissedClaim(FleetRow):
    """Device whose measured accuracy is below the claim of its bundle by more than the tolerance of the claim."""

    tenant: str
    device: str
    model: str | None
    board: str | None
    delegate: str | None
    map50_95: float
    map_claimed: float
    map_tolerance: float | None
    accuracy_time: UtcTime | None


def missed_claims(store: FleetStore, tenant: str) -> list[MissedClaim]:
    """Return devices below their claim, at most :data:`MOST_CLAIMS`.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    return read_records(store, MissedClaim, STATEMENT, {"tenant": tenant})
