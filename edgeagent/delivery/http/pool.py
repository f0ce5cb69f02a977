"""HTTP connection pools of delivery: proxies and their credentials, TLS trust, time limit of the head."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import LocationParseError, ProxySchemeUnknown

from edgeagent.errors import DeliveryError
from edgeagent.files.naming import redact
from edgeagent.telemetry.timed_http import TIMED_POOLS


class HttpPools:
    """Connection pools, one for each scheme and proxy; the repository and hawkBit use them.

    The system's certificates are read when they are first needed, as that takes some time on a board.

    Args:
        proxy: URL of an HTTP proxy, with or without user name and password; None takes ``http_proxy``,
            ``https_proxy`` or ``all_proxy`` of the environment. ``no_proxy`` holds for both.
        ca: file with the certificates to trust; None trusts the system's.

    Raises:
        DeliveryError: the certificate file cannot be used.
    """

    def __init__(self, proxy: str | None, ca: Path | None) -> None:
        self._proxy = proxy
        self._tls = None if ca is None else _trust(ca)
        self._pools: dict[tuple[str, str | None], urllib3.PoolManager] = {}

    def pool(self, url: str) -> urllib3.PoolManager:
        """Return the pool for a URL.

        Raises:
            DeliveryError: the proxy is no HTTP proxy, or the system's certificates cannot be read.
        """
        parts = urlsplit(url)
        environment = getproxies()
        proxy = self._proxy or environment.get(parts.scheme) or environment.get("all")
        if proxy is not None and proxy_bypass(parts.hostname or ""):
            proxy = None
        key = parts.scheme, proxy
        if key not in self._pools:
            self._pools[key] = self._new_pool(parts.scheme, proxy)
        return self._pools[key]

    def _new_pool(self, scheme: str, proxy: str | None) -> urllib3.PoolManager:
        if self._tls is None and "https" in (scheme, urlsplit(proxy or "").scheme):
            self._tls = _trust(None)
        pool: urllib3.PoolManager
        if proxy is None:
            pool = urllib3.PoolManager(num_pools=2, ssl_context=self._tls)
        else:
            try:
                pool = urllib3.ProxyManager(
                    without_login(proxy),
                    num_pools=2,
                    ssl_context=self._tls,
                    proxy_ssl_context=self._tls,
                    proxy_headers=basic_auth(proxy, "proxy-authorization"),
                )
            except (ProxySchemeUnknown, LocationParseError) as error:
                raise DeliveryError(
                    f"{redact(proxy)}: is not an HTTP proxy; it begins with http:// or https://"
                ) from error
        pool.pool_classes_by_scheme = TIMED_POOLS
        return pool


def _trust(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except ssl.SSLError:
        raise DeliveryError(f"{ca}: holds no certificates in PEM; name another file in delivery.ca") from None
    except OSError as error:
        raise DeliveryError(f"{ca}: cannot be read ({error.strerror}); correct delivery.ca") from None


def without_login(url: str) -> str:
    """Return a URL without user name and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def basic_auth(url: str, header: str) -> dict[str, str]:
    """Return the header for user name and password of a URL; none where it has none."""
    parts = urlsplit(url)
    if parts.username is None:
        return {}
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    (value,) = urllib3.make_headers(basic_auth=login).values()
    return {header: value}
