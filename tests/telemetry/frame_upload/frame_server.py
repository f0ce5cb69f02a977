"""Servers for uploads in this process: a plain one that takes files by PUT, and an object store."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FrameServer(ThreadingHTTPServer):
    """Takes what is PUT.

    Attributes:
        answers: status codes of the next requests; 201 where it is empty.
        page: media type and body of each answer.
        files: content by path.
        asked: paths of all requests.
        tokens: values of the header Authorization.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[int] = []
        self.page: tuple[str, bytes] = ("text/plain", b"")
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.tokens: set[str | None] = set()
        self.changed = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def wait_for(self, files: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.files) >= files, 60.0), self.asked


class _Handler(BaseHTTPRequestHandler):
    server: FrameServer

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        with self.server.changed:
            status = self.server.answers.pop(0) if self.server.answers else 201
            self.server.asked.append(self.path)
            self.server.tokens.add(self.headers["authorization"])
            if status in (200, 201):
                self.server.files[self.path] = body
            self.server.changed.notify_all()
        self.send_response(status)
        kind, page = self.server.page
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def frame_server() -> Iterator[FrameServer]:
    server = FrameServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
