"""The server of ``/metrics``: few connections, each with a time limit."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from edgeagent.telemetry.prometheus import server as module
from edgeagent.telemetry.prometheus.server import MOST_CONNECTIONS, MetricsServer
from tests.broker import PATIENCE, free_port

PARTIAL = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    def answer(environment: Any, start: Any) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        return [b"metrics"]

    made = MetricsServer("127.0.0.1", free_port(), answer)
    made.start()
    yield made
    made.stop()


def connect(server: MetricsServer) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.server_port), PATIENCE)
    connection.sendall(PARTIAL)
    return connection


def closed(connection: socket.socket) -> bool:
    """Wait until the other side has closed a connection."""
    connection.settimeout(PATIENCE)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def scrape(server: MetricsServer) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics", timeout=PATIENCE) as answer:
        content: bytes = answer.read()
        return content


def wait_for(server: MetricsServer, connections: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while server.connections != connections:
        assert time.monotonic() < deadline, server.connections
        time.sleep(0.01)


def test_connections_beyond_the_limit_are_closed_and_start_no_thread(server: MetricsServer) -> None:
    before = threading.active_count()
    held = [connect(server) for _ in range(MOST_CONNECTIONS)]
    wait_for(server, MOST_CONNECTIONS)
    assert threading.active_count() <= before + MOST_CONNECTIONS
    for _ in range(20):
        assert closed(connect(server))
    assert server.connections == MOST_CONNECTIONS
    for connection in held:
        connection.close()
    wait_for(server, 0)
    assert scrape(server) == b"metrics"


def test_an_idle_connection_is_closed_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module._RequestHandler, "timeout", 0.2)
    made = MetricsServer("127.0.0.1", free_port(), lambda environment, start: [])
    made.start()
    try:
        assert closed(connect(made))
        wait_for(made, 0)
    finally:
        made.stop()


def test_a_scrape_takes_the_place_of_a_connection_that_drips(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [connect(server) for _ in range(MOST_CONNECTIONS)]
    wait_for(server, MOST_CONNECTIONS)
    monkeypatch.setattr(module, "TIMEOUT_S", 0.0)  # each has lasted too long now, whatever it sends
    assert scrape(server) == b"metrics"
    assert closed(held[0])
