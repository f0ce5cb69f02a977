"""Store with a small fleet, and the page on it; one engine of ClickHouse per process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edgeagent.fleet.store.protocol import FleetStore
from tests.fleet.page.filled import fill
from tests.fleet.page.fleet_page import FleetClient, running_fleet_page

pytest.importorskip("chdb", reason="needs chdb (extra `fleet`)")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetStore]:
    """Store with a fleet without a tenant, and one of the tenant plant-3."""
    from edgeagent.fleet.store.opening import open_fleet_store

    opened = open_fleet_store(str(tmp_path_factory.mktemp("store")))
    fill(opened)
    fill(opened, 5, "plant-3")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def page(store: FleetStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetClient]:
    with running_fleet_page(store, tmp_path_factory.mktemp("users")) as running:
        yield running
