"""Choice of the store by its address: a folder, or ``clickhouse://user@host:8123/database`` for a server."""

from __future__ import annotations

from pathlib import Path

from edgeagent.fleet.store.embedded import EmbeddedStore
from edgeagent.fleet.store.protocol import FleetStore


def open_store(address: str) -> FleetStore:
    """Return the open store.

    Args:
        address: path of a folder.

    Raises:
        ConfigurationError: the address is not understood, or a package is missing.
        StoreError: the store cannot be opened.
    """
    return EmbeddedStore(Path(address))
