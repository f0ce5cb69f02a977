"""Which values can devices be filtered by? Boards, models, delegates, versions and alarms that exist."""

from __future__ import annotations

from edgeagent.fleet.queries.device_state import MODEL
from edgeagent.fleet.queries.fleet_row import FleetRow
from edgeagent.fleet.queries.tenant_filter import OF_TENANT
from edgeagent.fleet.store.protocol import FleetStore

STATEMENT = f"""
SELECT topK(100)(assumeNotNull(board)) AS boards, topK(100)(assumeNotNull(model)) AS models,
    topK(100)(assumeNotNull(delegate)) AS delegates, topK(100)(assumeNotNull(agent)) AS agents,
    topKArray(50)(problem_codes) AS alarms
FROM (SELECT board, {MODEL} AS model, delegate, agent, problem_codes FROM devices FINAL WHERE {OF_TENANT})"""


class FilterChoices(FleetRow):
    """Values that exist, most frequent first, at most 100 each."""

    boards: list[str]
    models: list[str]
    delegates: list[str]
    agents: list[str]
    alarms: list[str]


def filter_choices(store: FleetStore, tenant: str) -> FilterChoices:
    """Return the values that devices can be filtered by.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    record = next(store.query(STATEMENT, {"tenant": tenant}).records())
    return FilterChoices(**{name: [one for one in values if one] for name, values in record.items()})
