"""A way to a broker that can be cut and mended, while the broker and others on it stay."""

from __future__ import annotations

import contextlib
import socket
import threading


class Relay:
    """Passes connections on; between ``with`` and its end."""

    def __init__(self, target: int) -> None:
        self._target, self._open, self._lock = target, True, threading.Lock()
        self._sockets: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._server.close()

    def cut(self) -> None:
        """End all connections, and accept none that lasts."""
        with self._lock:
            self._open = False
            for each in self._sockets:
                with contextlib.suppress(OSError):  # it has ended by itself
                    each.shutdown(socket.SHUT_RDWR)
            self._sockets.clear()

    def mend(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._open = True

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the server is closed
            while True:
                near, _ = self._server.accept()
                with self._lock:
                    if not self._open:
                        near.close()
                        continue
                    far = socket.create_connection(("127.0.0.1", self._target))
                    self._sockets += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=_pass_on, args=pair, daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
