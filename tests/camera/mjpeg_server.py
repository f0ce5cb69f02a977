"""HTTP camera on the loopback interface (multipart MJPEG) whose connection a test can drop or stall."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from tests.camera.media import encode, grey

_INTERVAL = 0.04


class MjpegServer:
    """Server of numbered frames at 25 per second under :attr:`url` until it is closed.

    Attributes:
        dropping: when set, open connections are closed and new ones refused with 503.
        stalling: when set, connections stay open without data.
        damaging: frames that cannot be decoded: every n-th; 0 for none, 1 for all.
    """

    def __init__(self) -> None:
        self.dropping = threading.Event()
        self.stalling = threading.Event()
        self.damaging = 0
        self._closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if server.dropping.is_set():
                    self.send_error(503)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                number = 0
                try:
                    while not (server._closing.wait(_INTERVAL) or server.dropping.is_set()):
                        if server.stalling.is_set():
                            continue
                        data = encode(grey(number % 30), ".jpg")
                        if server.damaging and number % server.damaging == server.damaging - 1:
                            data = b"\xff\xd8" + bytes(500)
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                        self.wfile.write(head.encode() + data + b"\r\n")
                        number += 1
                except OSError:
                    return  # the client disconnected

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://user:hunter2@127.0.0.1:{self._server.server_port}/video?password=hunter3"

    def __enter__(self) -> MjpegServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
