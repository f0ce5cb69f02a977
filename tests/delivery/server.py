"""A real HTTP server on loopback for a folder, with faults that a test asks for; and a real proxy."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

Answer = Callable[["Handler", bytes], None]
"""Answers a request for a file with this content in another way."""


@dataclass
class Asked:
    """A request that came in."""

    path: str
    range: str | None
    authorization: str | None
    query: str = ""


class Handler(BaseHTTPRequestHandler):
    """Serves files with single ranges."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        path, query = unquote(urlsplit(self.path).path), urlsplit(self.path).query
        self.server.asked.append(
            Asked(path, self.headers.get("Range"), self.headers.get("Authorization"), query)
        )
        file = self.server.folder / path.lstrip("/")
        content = file.read_bytes() if file.is_file() else None
        fault = self.server.fault(path)
        if fault is not None:
            fault(self, content or b"")
        elif content is None:
            self.answer(404, b"no such file")
        else:
            self.serve(content)

    def serve(self, content: bytes, upto: int | None = None, stall: bool = False) -> None:
        """Answer with the content from the offset asked for; it ends, or falls silent, at ``upto``."""
        start = self.offset()
        if start > len(content) or (start and start == len(content)):
            self.answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.send(content[start:upto])
        if stall:
            silent(self, content)
        elif upto is not None and upto < len(content):
            self.cut()

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Answer with a status."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.send(body)

    def offset(self) -> int:
        """First byte asked for."""
        wanted = self.headers.get("Range")
        return int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0

    def send(self, data: bytes) -> bool:
        """Send and count bytes; false where the client has gone away."""
        try:
            self.wfile.write(data)
        except OSError:
            self.close_connection = True
            return False
        self.server.count(len(data))
        return True

    def cut(self) -> None:
        """Cut the connection."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.server.date or super().date_time_string(None if timestamp is None else int(timestamp))

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class Server(ThreadingHTTPServer):
    """Serves a folder between ``with`` and its end.

    Attributes:
        asked: requests, in their order.
        sent: bytes of all bodies.
        date: shown in ``Date``; None is the right one.
        closing: set at the end, for answers that wait.
    """

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, folder: Path, certificate: tuple[Path, Path] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.asked: list[Asked] = []
        self.sent = 0
        self.date: str | None = None
        self.closing = threading.Event()
        self._faults: dict[str, deque[Answer | None]] = {}
        self._always: dict[str, Answer] = {}
        self._lock = threading.Lock()
        self._scheme = "http"
        if certificate is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(*certificate)
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
            self._scheme = "https"
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def url(self) -> str:
        """Of the folder."""
        return f"{self._scheme}://127.0.0.1:{self.server_port}"

    def answer_next(self, ending: str, *answers: Answer | None) -> None:
        """Have the next requests for paths with this ending answered so; None is as usual."""
        self._faults[ending] = deque(answers)

    def answer_always(self, ending: str, answer: Answer | None) -> None:
        """Have every request for paths with this ending answered so; None is as usual again."""
        if answer is None:
            del self._always[ending]
        else:
            self._always[ending] = answer

    def fault(self, path: str) -> Answer | None:
        """What a test wants done with this request."""
        with self._lock:
            for ending, answers in self._faults.items():
                if path.endswith(ending) and answers:
                    return answers.popleft()
            return next((answer for ending, answer in self._always.items() if path.endswith(ending)), None)

    def count(self, size: int) -> None:
        """Add to the bytes that were sent."""
        with self._lock:
            self.sent += size

    def handle_error(self, *_: object) -> None:
        """A client that does not trust the certificate, or has gone away, is no error of the server."""

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


@dataclass
class Proxied:
    """What a proxy was asked for."""

    lines: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)


class _ProxyHandler(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._admitted():
            return
        target = urlsplit(self.path)
        with socket.create_connection((target.hostname, target.port or 80)) as origin:
            path = target.path + (f"?{target.query}" if target.query else "")
            headers = "".join(
                f"{name}: {value}\r\n"
                for name, value in self.headers.items()
                if not name.lower().startswith("proxy-") and name.lower() != "connection"
            )
            origin.sendall(
                f"{self.command} {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n".encode() + body
            )
            status = b""
            while not status.endswith(b"\r\n") and (byte := origin.recv(1)):
                status += byte
            self.wfile.write(status + b"Connection: close\r\n")
            while data := origin.recv(65536):
                self.wfile.write(data)
        self.close_connection = True

    do_POST = do_PUT = do_GET  # noqa: N815

    def do_CONNECT(self) -> None:
        if not self._admitted():
            return
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as origin:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: origin, origin: self.connection}
            while True:
                ready, _, _ = select.select(list(ends), [], [], 10)
                data = [(end, end.recv(65536)) for end in ready]
                if not data or any(not piece for _, piece in data):
                    break
                for end, piece in data:
                    ends[end].sendall(piece)
        self.close_connection = True

    def _admitted(self) -> bool:
        login = self.headers.get("Proxy-Authorization")
        self.server.seen.lines.append(f"{self.command} {self.path}")
        self.server.seen.authorizations.append(login)
        if self.server.login is None or login == self.server.login:
            return True
        self.send_response(407)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class Proxy(ThreadingHTTPServer):
    """An HTTP proxy that forwards and tunnels, between ``with`` and its end.

    Args:
        login: value of ``Proxy-Authorization`` that it demands; None lets everybody in.
    """

    daemon_threads = True

    def __init__(self, login: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _ProxyHandler)
        self.login = login
        self.seen = Proxied()
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def handle_error(self, *_: object) -> None:
        """A client that has gone away is no error of the proxy."""

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


def endless(handler: Handler, _: bytes) -> None:
    """Send bytes without an end, and without telling how many."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    while handler.send(b"x" * 65536) and not handler.server.closing.is_set():
        pass


def dripping(handler: Handler, content: bytes) -> None:
    """Send the right content, a byte every twentieth of a second."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    _drip(handler, (content[at : at + 1] for at in range(len(content))))


def dripping_head(handler: Handler, _: bytes) -> None:
    """Send a head that does not end, a byte every twentieth of a second."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    _drip(handler, iter(lambda: b"x", b""))


def _drip(handler: Handler, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        if handler.server.closing.wait(0.05) or not handler.send(piece):
            return


def silent(handler: Handler, _: bytes) -> None:
    """Accept the request and say nothing."""
    handler.server.closing.wait()
    handler.close_connection = True
