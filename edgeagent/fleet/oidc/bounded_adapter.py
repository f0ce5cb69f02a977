"""Transport of requests whose exchanges end: after a time in all, and after so many bytes of an answer.

The time-out of `requests` is of one read: an answer that drips would go on for hours. Here the connection is
shut down when the time is over, also while TLS is negotiated and while headers are read. Only the search for
the name of a server is outside of it.
"""

from __future__ import annotations

import contextlib
import io
import socket
import threading
from contextvars import ContextVar
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError


class AnswerTooLargeError(requests.RequestException):
    """An answer has more bytes than are read."""


class ExchangeDeadline:
    """Time of one exchange; a context, in which connections of this thread are watched.

    Args:
        seconds: from entering on.

    Attributes:
        passed: whether the time is over.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self.passed = seconds, False
        self._lock, self._watched = threading.Lock(), contextlib.ExitStack()
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> ExchangeDeadline:
        self._timer = threading.Timer(self._seconds, self._end)
        self._timer.daemon = True
        self._timer.start()
        self._before = _DEADLINE.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _DEADLINE.reset(self._before)
        self._timer.cancel()
        with self._lock:
            self._sockets.clear()
            self._watched.close()

    def watch(self, connection: socket.socket) -> None:
        """Shut a connection down when the time is over."""
        with self._lock:  # the duplicate stays when TLS takes the socket over
            self._sockets.append(self._watched.enter_context(connection.dup()))
            if self.passed:
                _shut_down(self._sockets[-1])

    def _end(self) -> None:
        with self._lock:
            self.passed = True
            for one in self._sockets:
                _shut_down(one)


_DEADLINE: ContextVar[ExchangeDeadline | None] = ContextVar("deadline", default=None)


def _shut_down(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _watched(connection: socket.socket) -> socket.socket:
    deadline = _DEADLINE.get()
    if deadline is not None:
        deadline.watch(connection)
    return connection


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _watched(super()._new_conn())


class _TlsConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _watched(super()._new_conn())


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class BoundedAdapter(HTTPAdapter):
    """Adapter for a session of `requests`; answers are read whole, and as they were sent.

    Args:
        seconds: of one exchange, from connecting to the last byte.
        largest: bytes of an answer.

    Raises:
        requests.RequestException: of a request that failed, took too long, or had a larger answer.
    """

    def __init__(self, seconds: float, largest: int) -> None:
        self._seconds, self._largest = seconds, largest
        super().__init__()

    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        """Build the pools, with connections that are watched."""
        super().init_poolmanager(*given, **named)
        self.poolmanager.pool_classes_by_scheme = dict(_POOLS)

    def proxy_manager_for(self, *given: Any, **named: Any) -> PoolManager:
        """Return the pools of a proxy, with connections that are watched."""
        manager: PoolManager = super().proxy_manager_for(*given, **named)
        manager.pool_classes_by_scheme = dict(_POOLS)
        return manager

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: dict[str, str] | None = None,
    ) -> requests.Response:
        """Send a request, and return its whole answer."""
        request.headers["Accept-Encoding"] = "identity"  # a small packed answer may be a large one
        with ExchangeDeadline(self._seconds) as deadline:
            try:
                answer = super().send(request, True, timeout, verify, cert, proxies)
                with contextlib.closing(answer.raw):
                    body = answer.raw.read(self._largest + 1, decode_content=False)
            except (OSError, HTTPError) as error:
                if deadline.passed:
                    raise requests.Timeout(f"no whole answer within {self._seconds:g} s") from error
                raise error if isinstance(error, OSError) else requests.ConnectionError(error) from error
            if deadline.passed:
                raise requests.Timeout(f"no whole answer within {self._seconds:g} s")
        if len(body) > self._largest:
            raise AnswerTooLargeError(f"an answer of more than {self._largest} bytes")
        answer.raw = io.BytesIO(body)
        return answer
