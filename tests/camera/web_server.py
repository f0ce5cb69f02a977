"""Web server on the loopback interface that answers each request with one picture."""

from __future__ import annotations

import threading
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from tests.camera.media import encode, grey


class PictureServer:
    """Server of numbered pictures under :attr:`url` until it is closed.

    Args:
        content_type: of the answers.
        suffix: format of the pictures.
        password: asked of the user ``user``; empty for none.

    Attributes:
        requests: number of requests that were answered with a picture.
        damaged: when set, pictures are cut off.
        refusing: when set, requests are answered with 503.
    """

    def __init__(self, content_type: str = "image/jpeg", suffix: str = ".jpg", *, password: str = "") -> None:
        self.requests = 0
        self.damaged = threading.Event()
        self.refusing = threading.Event()
        server = self
        expected = "Basic " + b64encode(f"user:{password}".encode()).decode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if password and self.headers.get("Authorization") != expected:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                    self.end_headers()
                    return
                if server.refusing.is_set():
                    self.send_error(503)
                    return
                data = encode(grey(server.requests % 30), suffix)
                server.requests += 1
                if server.damaged.is_set():
                    data = data[: len(data) // 2]
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        user = f"user:{password}@" if password else ""
        self.url = f"http://{user}127.0.0.1:{self._server.server_port}/snap?channel=1"

    def __enter__(self) -> PictureServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
