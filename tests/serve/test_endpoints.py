"""Addresses to listen on: read, and kept on this machine unless it is said otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.serve.endpoints import (
    LocalEndpoint,
    TcpEndpoint,
    check_reach,
    tcp_endpoint,
    zmq_endpoint,
)


@pytest.mark.parametrize(
    ("text", "endpoint", "loopback"),
    [
        ("tcp://127.0.0.1:5555", TcpEndpoint("127.0.0.1", 5555), True),
        ("tcp://localhost:5555", TcpEndpoint("127.0.0.1", 5555), True),
        ("tcp://127.9.9.9:0", TcpEndpoint("127.9.9.9", 0), True),
        ("tcp://[::1]:5555", TcpEndpoint("::1", 5555), True),
        ("tcp://*:5555", TcpEndpoint("0.0.0.0", 5555), False),
        ("tcp://192.168.1.9:5555", TcpEndpoint("192.168.1.9", 5555), False),
        ("tcp://[::]:5555", TcpEndpoint("::", 5555), False),
        ("ipc:///run/x/frigate.sock", LocalEndpoint(Path("/run/x/frigate.sock")), True),
    ],
)
def test_forms_of_endpoints(text: str, endpoint: TcpEndpoint | LocalEndpoint, loopback: bool) -> None:
    assert zmq_endpoint(text) == endpoint
    assert endpoint.loopback is loopback


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("127.0.0.1:5555", "expected tcp://ADDRESS:PORT or ipc:///PATH"),
        ("udp://127.0.0.1:5555", "expected tcp://"),
        ("ipc://relative", "expected tcp://"),
        ("tcp://127.0.0.1", "an IP address and a port"),
        ("tcp://127.0.0.1:70000", "an IP address and a port"),
        ("tcp://::1:5555", "an IP address and a port"),
        ("tcp://board.local:5555", "'board.local' is no IP address"),
        ("tcp://eth0:5555", "'eth0' is no IP address"),
        (f"ipc:///{'x' * 120}", "at most 107 bytes"),
    ],
)
def test_other_forms_are_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        zmq_endpoint(text)


def test_beyond_this_machine_only_where_it_is_asked_for() -> None:
    endpoint = tcp_endpoint("[fd00::1]:8000", "--http")
    with pytest.raises(
        ConfigurationError, match=r"--http: \[fd00::1\]:8000 .*no authentication.*--beyond-loopback"
    ):
        check_reach(endpoint, "--http", False)
    assert "no authentication" in (check_reach(endpoint, "--http", True) or "")
    assert check_reach(tcp_endpoint("localhost:8000", "--http"), "--http", False) is None
