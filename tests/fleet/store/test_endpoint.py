"""The store through the client of ClickHouse, at the socket and over TCP, in front of chdb."""

from __future__ import annotations

import asyncio
import base64
import socket
import stat
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
import uvicorn

from edgeagent.errors import ConfigurationError
from edgeagent.fleet.store.derivation import Derivation
from edgeagent.fleet.store.embedded import EmbeddedStore
from edgeagent.fleet.store.endpoint import SOCKET, ServedStore, StoreEndpoint
from edgeagent.fleet.store.opening import open_fleet_store, open_shared
from edgeagent.fleet.store.protocol import FleetStore, StoreError
from edgeagent.fleet.store.server import PASSWORD, ServerStore, connect
from tests.broker import free_port
from tests.fleet.rows import telemetry_row

NASTY = 'a\'b\\c\td\n"x";--ä'


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path_factory.mktemp("f"))
    served = ServedStore(store)
    served.start()
    yield store
    served.stop()
    store.close()


@pytest.fixture(scope="module")
def http(embedded: EmbeddedStore) -> Iterator[str]:
    """Address of the same interface over TCP."""
    port = free_port()
    config = uvicorn.Config(
        StoreEndpoint(embedded).application, host="127.0.0.1", port=port, lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started:
        thread.join(0.05)
        assert thread.is_alive()
    yield f"clickhouse://default@127.0.0.1:{port}/edgeagent"
    server.should_exit = True
    thread.join()


@pytest.fixture(params=["socket", "tcp"])
def store(request: pytest.FixtureRequest, embedded: EmbeddedStore, http: str) -> Iterator[FleetStore]:
    opened = open_fleet_store(str(embedded.folder) if request.param == "socket" else http)
    assert isinstance(opened, ServerStore)
    yield opened
    opened.close()


def test_rows_are_inserted_and_come_back(store: FleetStore, request: pytest.FixtureRequest) -> None:
    device = f"{NASTY} {request.node.name}"
    store.insert("telemetry", [telemetry_row(device, number) for number in (1, 2, 2, 3)])
    sql = "SELECT device, sequence, stage_buckets FROM telemetry FINAL WHERE device = {device:String}"
    found = store.query(f"{sql} ORDER BY sequence", {"device": device})
    assert [row[1] for row in found.rows] == [1, 2, 3]
    assert found.rows[0][0] == device
    assert found.types[1] == "UInt64"
    assert sum(found.rows[0][2][0].values()) == 50


def test_parameters_of_every_kind(store: FleetStore) -> None:
    at = datetime(2026, 1, 31, 12, 0, 0, 123000, timezone.utc)
    sql = (
        "SELECT {text:String}, {list:Array(String)}, {none:Nullable(String)}, {number:Float64}, "
        "{at:DateTime64(3, 'UTC')}"
    )
    given = {"text": NASTY, "list": [NASTY, "b"], "none": None, "number": 1.5, "at": at}
    (row,) = store.query(sql, given).rows
    assert row == (NASTY, [NASTY, "b"], None, 1.5, "2026-01-31 12:00:00.123")


def test_mistakes_have_their_code(store: FleetStore) -> None:
    with pytest.raises(StoreError) as unknown:
        store.query("SELECT nothing")
    assert unknown.value.code == 47
    with pytest.raises(StoreError) as refused:
        store.insert("telemetry", [{"no_column": 1}])
    assert refused.value.of_the_rows
    with pytest.raises(StoreError, match="no table"):
        store.insert("nothing", [{"a": 1}])


def test_a_query_only_reads(store: FleetStore) -> None:
    with pytest.raises(StoreError) as refused:
        store.query("DROP TABLE telemetry")
    assert refused.value.code == 164


def test_a_refused_statement_does_not_read_as_a_store_that_is_away(store: FleetStore) -> None:
    with pytest.raises(StoreError) as told:
        store.query("SELEC 1 (")
    assert str(told.value).startswith("the store refuses a statement (Code: 62. DB::Exception: Syntax error")
    assert "localhost" not in str(told.value)
    assert "for url" not in str(told.value)
    assert str(told.value).count("refuses") == 1


def test_derived_tables_are_computed_through_the_client(store: FleetStore) -> None:
    store.insert("telemetry", [telemetry_row("derived", number) for number in range(1, 11)])
    Derivation(store).step(models=True)
    sql = "SELECT sum(messages) FROM system_day FINAL WHERE device = 'derived'"
    assert store.query(sql).rows == [(10,)]


def test_many_threads_at_once(store: FleetStore) -> None:
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            for sequence in range(1, 6):
                row = telemetry_row(f"thread {number}", sequence)
                store.insert("telemetry", [{**row, "historical": True}])
                store.query("SELECT count() FROM telemetry FINAL")
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    sql = "SELECT count() FROM telemetry FINAL WHERE startsWith(device, 'thread')"
    assert store.query(sql).rows == [(30,)]


def test_only_the_owner_may_use_the_socket(embedded: EmbeddedStore) -> None:
    assert stat.S_IMODE((embedded.folder / SOCKET).stat().st_mode) == 0o600


def test_a_store_that_is_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be reached"):
        open_shared(str(tmp_path))
    with pytest.raises(StoreError, match="shorter path"):
        open_fleet_store(str(tmp_path / ("x" * 120)))
    with pytest.raises(StoreError, match="cannot be opened"):
        connect(f"clickhouse://127.0.0.1:{free_port()}/edgeagent")


def test_addresses_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="everybody on this machine could read") as told:
        connect("clickhouse://fleet:secret@127.0.0.1/edgeagent")
    assert "secret" not in str(told.value)
    with pytest.raises(ConfigurationError, match="postgres://: not the address of a store"):
        open_fleet_store("postgres://127.0.0.1/edgeagent")
    with pytest.raises(ConfigurationError, match="goes with a server"):
        open_fleet_store(str(tmp_path), tmp_path / "password")


def test_the_password_is_sent_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A listener that answers nothing sees the header; from the file, or from the environment."""
    (tmp_path / "password").write_text("from-a-file\n")
    (tmp_path / "password").chmod(0o600)
    monkeypatch.setenv(PASSWORD, "from-the-environment")
    for file, expected in ((tmp_path / "password", "from-a-file"), (None, "from-the-environment")):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            address = f"clickhouse://fleet@127.0.0.1:{listening.getsockname()[1]}/edgeagent"
            heard: list[bytes] = []

            def hear(listening: socket.socket = listening, heard: list[bytes] = heard) -> None:
                connection, _ = listening.accept()
                heard.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
                connection.close()

            thread = threading.Thread(target=hear)
            thread.start()
            with pytest.raises(StoreError) as told:
                connect(address, file)
            thread.join()
        assert base64.b64encode(f"fleet:{expected}".encode()) in heard[0]
        assert expected not in str(told.value)
    assert "from-" not in caplog.text
