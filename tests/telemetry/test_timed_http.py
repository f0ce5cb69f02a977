"""The end of the time for the head of an answer, while the connection closes by itself."""

from __future__ import annotations

import socket

import pytest
from urllib3.connection import HTTPConnection

from edgeagent.telemetry.timed_http import _TimedHead


def test_a_connection_that_was_closed_meanwhile_is_late_and_nothing_else() -> None:
    connection = HTTPConnection("127.0.0.1", timeout=60.0)
    ours, theirs = socket.socketpair()
    connection.sock = ours
    head = _TimedHead(connection)
    with theirs, pytest.raises(TimeoutError, match="head of the answer"), head:
        ours.close()
        head._hang_up()
    connection.sock = None
    head._hang_up()
