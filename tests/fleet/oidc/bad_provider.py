"""Servers that are no good identity provider: silent, dripping, endless."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@dataclass
class BadProvider:
    """Server that sends parts of an answer until its client goes, or the test ends.

    Attributes:
        port: on the loopback interface.
        first, part: what it sends at once, and then again and again.
        pause_s: between the parts.
        asked: number of connections so far.
        sent: number of parts so far.
        most: parts after which a connection is closed.
    """

    port: int
    first: bytes
    part: bytes
    pause_s: float
    most: int = 200
    asked: int = 0
    sent: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.port}"

    def wait_for_asked(self, number: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.asked >= number, 60)

    def answer(self, connection: socket.socket) -> None:
        with self.changed:
            self.asked += 1
            self.changed.notify_all()
        with connection, contextlib.suppress(OSError):
            connection.sendall(self.first)
            while not self.over.wait(self.pause_s) and self.sent < self.most:
                connection.sendall(self.part)
                self.sent += 1


@contextlib.contextmanager
def running_bad_provider(
    first: bytes = b"", part: bytes = b"", pause_s: float = 0.1
) -> Iterator[BadProvider]:
    """Run it; without arguments it is silent."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listening:
        provider = BadProvider(listening.getsockname()[1], first, part, pause_s)
        threads: list[threading.Thread] = []

        def accept() -> None:
            while not provider.over.is_set():
                connection, _ = listening.accept()
                threads.append(threading.Thread(target=provider.answer, args=(connection,)))
                threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield provider
        finally:
            provider.over.set()
            socket.create_connection(("127.0.0.1", provider.port)).close()
            accepting.join()
            for one in threads:
                one.join()
