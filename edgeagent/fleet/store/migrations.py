"""Numbered steps from an empty store to the present tables."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from edgeagent.fleet.store.ddl import add_column_statements, create_statements, versions_statement
from edgeagent.fleet.store.protocol import FleetStore, StoreError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Migration:
    """Step of the schema.

    Attributes:
        number: from 1, without gaps.
        about: what it does.
        statements: for a cluster of this name, None for one machine; each may be run again.
    """

    number: int
    about: str
    statements: Callable[[str | None], list[str]]


MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "first tables", lambda cluster: create_statements(cluster=cluster)),
    Migration(
        2,
        "tolerance of the claim of accuracy",
        lambda cluster: add_column_statements("devices", "map_tolerance", "map_claimed", cluster),
    ),
)


def migrate(
    store: FleetStore, cluster: str | None = None, migrations: tuple[Migration, ...] = MIGRATIONS
) -> int:
    """Bring the tables of a store up to date; return the number of the schema.

    Raises:
        StoreError: the store was made by a newer version of edgeagent, or refuses a step. A step that was
            interrupted is run again.
    """
    store.execute(versions_statement(cluster))
    done = int(store.query("SELECT max(number) FROM schema_versions").rows[0][0])
    if done > migrations[-1].number:
        raise StoreError(
            f"the store has schema {done}, this version of edgeagent knows {migrations[-1].number}; "
            "install the newer one"
        )
    for migration in migrations:
        if migration.number <= done:
            continue
        logger.info("store: schema %d, %s", migration.number, migration.about)
        for statement in migration.statements(cluster):
            store.execute(statement)
        store.execute(
            "INSERT INTO schema_versions (number, about) SELECT {number:UInt32}, {about:String}",
            {"number": migration.number, "about": migration.about},
        )
    return migrations[-1].number
