"""How old is what the page shows? Age of the derived tables, which a busy machine computes late."""

from __future__ import annotations

from typing import Literal

from edgeagent.fleet.queries.fleet_row import FleetRow, UtcTime
from edgeagent.fleet.store.protocol import FleetStore

AGE = """
SELECT max(upto) AS computed, dateDiff('second', max(upto), now64(3, 'UTC')) AS seconds
FROM derivation_progress WHERE name = {name:String} HAVING count() > 0"""


class TableAge(FleetRow):
    """Age of derived tables.

    Attributes:
        computed: what was stored up to this time is in them.
        seconds: since then, by the clock of the store.
    """

    computed: UtcTime
    seconds: int


def table_age(store: FleetStore, name: Literal["all", "models"] = "all") -> TableAge | None:
    """Return the age of the derived tables; None where they were never computed.

    Args:
        store: to ask.
        name: ``models`` for those over all devices of a model, which are computed less often.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    record = next(store.query(AGE, {"name": name}).records(), None)
    return None if record is None else TableAge.model_validate(record)
