"""A client at the level of bytes, to break off anywhere: ZMTP 3.0 (rfc.zeromq.org/spec/23) with NULL."""

from __future__ import annotations

import socket
import struct

GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
READY = b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", 3) + b"REQ"
MORE, LONG, COMMAND = 1, 2, 4


def connect(address: str) -> socket.socket:
    """Return a connection to ``tcp://HOST:PORT``."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=120)


def shake_hands(connection: socket.socket) -> None:
    """Exchange greetings and READY, as a REQ socket."""
    connection.sendall(GREETING)
    receive(connection, len(GREETING))
    connection.sendall(bytes([COMMAND, len(READY)]) + READY)
    (_, size) = receive(connection, 2)
    receive(connection, size)


def frame(content: bytes, more: bool, promised: int | None = None) -> bytes:
    """Return a long frame; ``promised`` is the length that its head tells."""
    size = len(content) if promised is None else promised
    return bytes([LONG | (MORE if more else 0)]) + struct.pack(">Q", size) + content


def receive(connection: socket.socket, size: int) -> bytes:
    """Return so many bytes."""
    got = b""
    while len(got) < size:
        part = connection.recv(size - len(got))
        assert part, "the server closed the connection"
        got += part
    return got
