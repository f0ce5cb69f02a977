"""HTTP connections of urllib3 whose answers must have begun within the read time-out, head and all.

A socket time-out holds for one packet only, so that a head that drips in would never end.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from pathlib import Path
from threading import Timer

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from edgeagent.errors import ConfigurationError


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
        connected = self._connection.sock
        if connected is not None:
            with contextlib.suppress(OSError):  # it was closed meanwhile
                connected.shutdown(socket.SHUT_RDWR)


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


def timed_pool(url: str, ca: Path | None, timeout_s: float) -> urllib3.PoolManager:
    """Return connections to one server, which repeat nothing by themselves and heed no variable of a proxy.

    Args:
        url: address of the server.
        ca: file of trusted CA certificates; None trusts those of the system.
        timeout_s: longest time without a packet, and until the head of an answer is complete.

    Raises:
        ConfigurationError: the certificates cannot be used.
    """
    trust = None
    if url.lower().startswith("https"):
        try:
            trust = ssl.create_default_context(cafile=None if ca is None else str(ca))
        except OSError as error:  # ssl.SSLError is one
            raise ConfigurationError(f"{ca}: cannot be used as certificates ({error})") from None
    timeout = urllib3.Timeout(connect=timeout_s, read=timeout_s)
    pool = urllib3.PoolManager(num_pools=1, timeout=timeout, ssl_context=trust, retries=False)
    pool.pool_classes_by_scheme = TIMED_POOLS
    return pool
