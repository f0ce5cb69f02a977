"""HTTP connections of urllib3 whose answers must have begun within the read time-out, head and all.

A socket time-out holds for one packet only, so that a head that drips in would never end.
"""

from __future__ import annotations

from threading import Timer

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection


class _TimedHead:
    """Closes the connection when status and headers are not complete within the read time-out."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection
        self._late = False
        self._timer = Timer(float(connection.timeout or 0.0), self._hang_up)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._late:
            raise TimeoutError("the head of the answer is not complete")

    def _hang_up(self) -> None:
        self._late = True
        if self._connection.sock is not None:
            self._connection.sock.shutdown(2)


class _TimedHttpConnection(HTTPConnection):
    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        with _TimedHead(self):
            return super().getresponse()


class _TimedHttpsConnection(HTTPSConnection):
    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        with _TimedHead(self):
            return super().getresponse()


class _TimedHttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _TimedHttpConnection


class _TimedHttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TimedHttpsConnection


TIMED_POOLS = {"http": _TimedHttpPool, "https": _TimedHttpsPool}
"""Pools by scheme, for ``PoolManager.pool_classes_by_scheme``."""
