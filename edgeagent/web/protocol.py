"""HTTP/1.1 of uvicorn, with limits that it does not have.

A request must have arrived up to the end of its headers within :data:`HEADERS_S`, counted from the connection
or from its first byte. The application finds :data:`ABORT` in the scope: a function that ends the connection
without waiting for a client that reads nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_S = 10.0
LONGEST_HEADERS = 16_384
"""Most bytes of a request before its body."""
ABORT = "edgeagent.abort"


class BoundedProtocol(H11Protocol):
    """Connection with a client; used by one event loop."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a part of a request."""
        if self._idle:
            self._wait()
        super().data_received(data)

    def handle_events(self) -> None:
        """Process what was read; the task of a request begins after this."""
        super().handle_events()
        if not self._idle:
            self._stop_waiting()
            cast(dict[str, Any], self.scope)[ABORT] = self.transport.abort

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(HEADERS_S, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_slow(self) -> None:
        self._waiting = None
        if self._idle:
            self.transport.abort()
