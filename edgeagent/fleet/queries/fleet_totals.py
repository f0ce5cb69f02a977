"""Totals of the fleet for monitoring: few series, however many devices there are."""

from __future__ import annotations

from edgeagent.fleet.queries.tenant_filter import OF_TENANT
from edgeagent.fleet.store.protocol import FleetStore

DEAD_LETTERS = (
    f"SELECT reason, count() FROM dead_letters FINAL WHERE {OF_TENANT} GROUP BY reason ORDER BY reason"
)
OPEN_ALARMS = f"""
SELECT code, count() FROM problems FINAL WHERE {OF_TENANT} AND isNull(ended) GROUP BY code ORDER BY code"""
LOST = f"""
SELECT sum(lost) FROM (
    SELECT max(last) - min(first) + 1 - sum(messages) AS lost FROM sequences FINAL WHERE {OF_TENANT}
    GROUP BY cityHash64(tenant, device, run, stream))"""


def dead_letters(store: FleetStore, tenant: str) -> dict[str, int]:
    """Return the number of messages that could not be stored, by reason.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    return {str(reason): int(count) for reason, count in store.query(DEAD_LETTERS, {"tenant": tenant}).rows}


def present_alarms(store: FleetStore, tenant: str) -> dict[str, int]:
    """Return the number of present alarms by code.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    return {str(code): int(count) for code, count in store.query(OPEN_ALARMS, {"tenant": tenant}).rows}


def total_lost(store: FleetStore, tenant: str) -> int:
    """Return the number of lost messages of all devices.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    return int(store.query(LOST, {"tenant": tenant}).rows[0][0] or 0)
