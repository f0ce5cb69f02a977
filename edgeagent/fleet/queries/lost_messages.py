"""Which messages were lost? Gaps in the numbers of each stream, as facts."""

from __future__ import annotations

from edgeagent.fleet.queries.fleet_row import FleetRow, UtcTime, read_records
from edgeagent.fleet.queries.tenant_filter import OF_TENANT
from edgeagent.fleet.store.protocol import FleetStore

MOST_GAPS = 200
STATEMENT = f"""
SELECT tenant, device, run, stream, sum(messages) AS arrived, max(last) - min(first) + 1 - sum(messages) AS lost,
    min(first_time) AS begin, max(last_time) AS end
FROM sequences FINAL
WHERE {OF_TENANT} AND ({{device:String}} = '' OR device = {{device:String}})
GROUP BY tenant, device, run, stream HAVING lost > 0 ORDER BY end DESC, lost DESC LIMIT {MOST_GAPS}"""


class LostMessages(FleetRow):
    """Lost messages of a stream in one run of the agent.

    Attributes:
        tenant, device: names.
        run: number of the start of the agent; -1 where it is not known.
        stream: ``telemetry`` or ``events``.
        arrived, lost: number of messages between the first and the last that arrived.
        begin, end: times of these two.
    """

    tenant: str
    device: str
    run: int
    stream: str
    arrived: int
    lost: int
    begin: UtcTime
    end: UtcTime


def lost_messages(store: FleetStore, tenant: str, device: str = "") -> list[LostMessages]:
    """Return gaps, newest first, at most :data:`MOST_GAPS`.

    Args:
        store: to ask.
        tenant: of the visitor.
        device: name; "" for all.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    return read_records(store, LostMessages, STATEMENT, {"tenant": tenant, "device": device})
