"""HTTP server of ``/metrics``: few connections, each with a time limit.

::

    accepted -> fewer than MOST_CONNECTIONS -----------------------> a thread answers, and closes
             -> else: the oldest has lasted TIMEOUT_S -> closed ---> a thread answers, and closes
             -> else ----------------------------------------------> closed at once
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from edgeagent.timing.guarded_thread import GuardedThread

logger = logging.getLogger(__name__)

MOST_CONNECTIONS = 8
TIMEOUT_S = 5.0  # without a byte; and for the whole request, when another connection waits
POLL_S = 0.1  # between two looks whether to stop
STOP_S = 1.0


class MetricsServer(ThreadingMixIn, WSGIServer):
    """Server of a WSGI application in threads of its own.

    Args:
        host: address or name to listen on.
        port: TCP port.
        application: WSGI application.

    Raises:
        OSError: the address cannot be listened on.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, application: Callable[..., Any]) -> None:
        self._open: dict[Any, float] = {}  # socket -> monotonic time (s) at which it was accepted
        self._lock = threading.Lock()
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        super().__init__((host, port), _RequestHandler)
        self.set_app(application)
        self._stopping = False
        self._thread = GuardedThread(self._serve, "prometheus")

    @property
    def connections(self) -> int:
        """Number of open connections."""
        with self._lock:
            return len(self._open)

    def start(self) -> None:
        """Start the thread that accepts connections."""
        self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Close the port; requests that are being answered are abandoned."""
        self._stopping = True
        self.shutdown()
        self.server_close()
        self._thread.join(timeout_s)

    def _serve(self) -> None:
        if not self._stopping:
            self.serve_forever(POLL_S)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a request in a thread, or close the connection where there are too many."""
        if self._admit(request):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def close_request(self, request: Any) -> None:
        """Close a connection."""
        with self._lock:
            self._open.pop(request, None)
        super().close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a connection that was too slow or broke."""
        logger.debug("a request of %s failed", client_address, exc_info=True)

    def _admit(self, request: Any) -> bool:
        """Count a connection, closing the oldest one if that is too slow; False where there are too many."""
        now = time.monotonic()
        with self._lock:
            if len(self._open) >= MOST_CONNECTIONS:
                oldest = next(iter(self._open))
                if now - self._open[oldest] < TIMEOUT_S:
                    return False
                del self._open[oldest]
                with contextlib.suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)  # its thread reads the end, and closes
            self._open[request] = now
        return True


class _RequestHandler(WSGIRequestHandler):
    """Handler of one request; it does not log requests."""

    timeout = TIMEOUT_S

    def address_string(self) -> str:
        """Return the address; its name may take a name server long to find."""
        return str(self.client_address[0])

    def log_message(self, *_: Any) -> None:
        """Do nothing."""
