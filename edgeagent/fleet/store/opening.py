"""Choice of the store by its address: a folder, or ``clickhouse://user@host:8123/database`` for a server."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

from edgeagent.errors import ConfigurationError
from edgeagent.fleet.store.embedded import EmbeddedStore
from edgeagent.fleet.store.endpoint import socket_path
from edgeagent.fleet.store.protocol import FleetStore
from edgeagent.fleet.store.server import SCHEMES, connect, connect_socket


def open_fleet_store(
    address: str, password_file: Path | None = None, *, existing: bool = False
) -> FleetStore:
    """Return the open store.

    A folder that another process has open is reached through its socket; otherwise this process opens it.

    Args:
        address: path of a folder, or ``clickhouse://user@host:8123/database``, ``clickhouses://`` over TLS.
        password_file: password for a server.
        existing: whether a folder must hold a store already; otherwise one is made.

    Raises:
        ConfigurationError: the address is not understood, there is no store, or a package is missing.
        StoreError: the store cannot be opened.
    """
    if is_server(address):
        return connect(address, password_file)
    if password_file is not None:
        raise ConfigurationError("--store-password-file goes with a server; the store is a folder")
    folder = Path(address)
    path = socket_path(folder)
    return connect_socket(path) if answers(path) else EmbeddedStore(folder, existing=existing)


def is_server(address: str) -> bool:
    """Return whether an address is that of a server.

    Raises:
        ConfigurationError: it is a URL of another kind.
    """
    scheme = urlsplit(address).scheme if "://" in address else ""
    if scheme and scheme not in SCHEMES:
        raise ConfigurationError(
            f"{scheme}://: not the address of a store; expected a folder or clickhouse://user@host:8123/database"
        )
    return bool(scheme)


def answers(path: Path) -> bool:
    """Return whether a process listens at a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def open_shared(address: str, password_file: Path | None = None) -> FleetStore:
    """As :func:`open_fleet_store`, but neither open a folder in this process nor change tables.

    Raises:
        StoreError: no process has the folder open.
    """
    if is_server(address):
        return connect(address, password_file, migrating=False)
    return connect_socket(socket_path(Path(address)))
