"""Real HTTP server that records calls, and answers as a test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue

from tests.broker import PATIENCE

Call = tuple[dict[str, str], bytes]


class WebServer:
    """Server on the loopback interface.

    Args:
        status: returns the status of the n-th call, from 0 on; it may take its time.
    """

    def __init__(self, status: Callable[[int], int] = lambda number: 204, port: int = 0) -> None:
        calls: SimpleQueue[Call] = SimpleQueue()
        self._calls, number, lock = calls, iter(range(10**6)), threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with lock:
                    mine = next(number)
                answer = status(mine)
                calls.put(({name.lower(): value for name, value in self.headers.items()}, body))
                try:
                    self.send_response(answer)
                    self.send_header("content-length", "0")
                    self.end_headers()
                except OSError:
                    return  # the caller has gone

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """URL with a part that nobody else should see."""
        return f"http://127.0.0.1:{self.port}/hook/very-secret-path"

    def call(self) -> Call:
        """Wait for a call; return its headers, by small names, and its body."""
        return self._calls.get(timeout=PATIENCE)

    def quiet(self) -> bool:
        """Whether no call is left."""
        time.sleep(0.3)
        return self._calls.empty()

    def close(self) -> None:
        """Refuse connections from now on."""
        self._server.shutdown()
        self._server.server_close()
