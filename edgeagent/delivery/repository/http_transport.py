"""HTTP transport over urllib3: ranges, proxies, TLS, redirects.

Ranges and ``Retry-After``: RFC 9110, sections 14 and 10.2.3; ``Age``: RFC 9111, section 5.1.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import monotonic
from urllib.parse import urljoin, urlsplit, urlunsplit

import urllib3
from urllib3.exceptions import HTTPError, ProxyError, ReadTimeoutError

from edgeagent.delivery.errors import MissingError, RefusedError, UnreachableError, WrongClockError
from edgeagent.delivery.http.pool import HttpPools, basic_auth, without_login
from edgeagent.delivery.repository.clock import shown, utcnow
from edgeagent.delivery.repository.transfer_limits import TransferLimits
from edgeagent.delivery.repository.transport import OffsetError, TransportResponse
from edgeagent.errors import DeliveryError
from edgeagent.files.naming import redact
from edgeagent.version import __version__

_REDIRECTS = 5
_MISSING = (403, 404, 410)
"""Statuses of a missing file; an object store that cannot be listed answers 403."""
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)
_NOT_YET_VALID = 9  # X509_V_ERR_CERT_NOT_YET_VALID, openssl/x509_vfy.h
_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED


class HttpTransport:
    """Transport from a web server; see :class:`edgeagent.delivery.repository.transport.Transport`.

    Args:
        repository: URL of the repository; its user name and password are sent to that server only, and so is
            its query (the signature of an object store), with the URL of every file.
        proxy, ca: see :class:`edgeagent.delivery.http.pool.HttpPools`.
        limits: time limits.

    Raises:
        DeliveryError: the certificate file cannot be used.
    """

    def __init__(self, repository: str, proxy: str | None, ca: Path | None, limits: TransferLimits) -> None:
        self._origin = _origin(repository)
        self._query = urlsplit(repository).query
        self._login = basic_auth(repository, "authorization")
        self._pools = HttpPools(proxy, ca)
        self._timeout = urllib3.Timeout(connect=limits.connect_s, read=limits.silence_s)
        self._clock: tuple[datetime, float] | None = None

    def open(self, url: str, offset: int = 0) -> TransportResponse:
        """Open a file; see :meth:`edgeagent.delivery.repository.transport.Transport.open`."""
        url = self._with_query(url)
        for _ in range(_REDIRECTS):
            response = self._request(url, offset)
            if response.status not in (301, 302, 303, 307, 308):
                return _opened(response, redact(url), offset)
            response.close()
            url = _redirected(url, response.headers.get("Location"))
        raise RefusedError(
            f"{redact(url)}: more than {_REDIRECTS} redirects; correct the address of the repository"
        )

    def time(self) -> datetime | None:
        """Return the time of the server; None before its first response."""
        if self._clock is None:
            return None
        server_time, at = self._clock
        return server_time + timedelta(seconds=monotonic() - at)

    def _with_query(self, url: str) -> str:
        parts = urlsplit(url)
        if not self._query or parts.query or _origin(url) != self._origin:
            return url
        return urlunsplit(parts._replace(query=self._query))

    def _request(self, url: str, offset: int) -> urllib3.BaseHTTPResponse:
        headers = {"User-Agent": f"edgeagent/{__version__}", "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        if _origin(url) == self._origin:
            headers.update(self._login)
        try:
            response = self._pools.pool(url).request(
                "GET",
                without_login(url),
                headers=headers,
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            raise _request_error(redact(url), error) from error
        self._clock = _server_clock(response.headers) or self._clock
        return response


class _HttpResponse:
    def __init__(self, response: urllib3.BaseHTTPResponse, name: str, start: int, length: int | None) -> None:
        self._response = response
        self._name = name
        self._at = start
        self.start = start
        self.length = length

    def read(self, most: int) -> bytes:
        try:
            piece = self._response.read1(most, decode_content=False)
        except (HTTPError, OSError) as error:
            raise _request_error(self._name, error, self._received()) from error
        self._at += len(piece)
        if not piece and self.length is not None and self._at < self.length:
            raise UnreachableError(f"{self._name}: the connection was cut after {self._received()}")
        return piece

    def close(self) -> None:
        self._response.close()

    def _received(self) -> str:
        return f"{self._at} bytes" if self.length is None else f"{self._at} of {self.length} bytes"


def _opened(response: urllib3.BaseHTTPResponse, name: str, offset: int) -> TransportResponse:
    """Check status and length of a response that is not a redirect."""
    status = response.status
    length = response.headers.get("Content-Length", "")
    if status == 200:
        return _HttpResponse(response, name, 0, int(length) if length.isdecimal() else None)
    found = re.fullmatch(
        r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", response.headers.get("Content-Range", "").strip()
    )
    total = int(found[2]) if found and found[2] else None
    if status == 206 and found and found[1]:
        return _HttpResponse(response, name, int(found[1]), total)
    response.close()
    if status in (206, 416) and offset:
        raise OffsetError(f"{name}: cannot be had from byte {offset} on", total)
    if status in _MISSING:
        raise MissingError(f"{name}: the server does not have it (status {status})", status)
    raise UnreachableError(
        f"{name}: the server answers with status {status}",
        again=status in _TEMPORARY,
        after_s=_retry_after(response.headers),
    )


def _request_error(name: str, error: Exception, received: str | None = None) -> DeliveryError:
    """Return the typed error for a failed request or read.

    Args:
        name: of the file, for messages.
        error: of urllib3 or the socket.
        received: how much of the file has arrived; None before the head of the response.
    """
    reasons = list(_causes(error))
    for reason in reasons:
        if isinstance(reason, ssl.SSLCertVerificationError):
            return _untrusted(name, reason)
    if any(isinstance(reason, (TimeoutError, ReadTimeoutError)) for reason in reasons):
        why = "does not answer in time" if received is None else f"timed out after {received}"
        return UnreachableError(f"{name}: {why}")
    if received is not None:
        return UnreachableError(f"{name}: the connection was cut after {received}")
    text = next(
        (reason.strerror for reason in reasons if isinstance(reason, OSError) and reason.strerror), None
    )
    through = ", by the proxy" if isinstance(error, ProxyError) else ""
    return UnreachableError(f"{name}: cannot be reached{through} ({redact(text or str(reasons[-1]))})")


def _causes(error: BaseException | None) -> list[BaseException]:
    """Return an error and its causes, those in urllib3's arguments included."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        inner = [part for part in error.args if isinstance(part, BaseException)]
        error = inner[0] if inner else error.__cause__ or error.__context__
    return found


def _untrusted(name: str, error: ssl.SSLCertVerificationError) -> DeliveryError:
    now = shown(utcnow())
    if error.verify_code == _NOT_YET_VALID:
        return WrongClockError(
            f"{name}: the certificate of the server is not yet valid, and the clock of this device shows "
            f"{now}; set it (timedatectl set-time), and start a time service"
        )
    hint = f"; the clock of this device shows {now}" if error.verify_code == _EXPIRED else ""
    return RefusedError(
        f"{name}: the certificate of the server is not trusted ({error.verify_message}){hint}; if it is the "
        "right server, name the file with its authority in `ca`"
    )


def _redirected(url: str, location: str | None) -> str:
    target = urljoin(without_login(url), location or "")
    old, new = urlsplit(url).scheme, urlsplit(target).scheme
    if location is None or new not in ("http", "https") or (old == "https" and new == "http"):
        raise RefusedError(
            f"{redact(url)}: redirects to {redact(location or 'nowhere')}; only https may follow https"
        )
    return target


def _server_clock(headers: Mapping[str, str]) -> tuple[datetime, float] | None:
    """Return the time in a response's headers, and the monotonic seconds at which it arrived."""
    try:
        date = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=timezone.utc)
    age = headers.get("Age", "")
    return date + timedelta(seconds=int(age) if age.isdecimal() and len(age) < 10 else 0), monotonic()


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of ``Retry-After``; a date is relative to the server's ``Date``."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        wanted, date = parsedate_to_datetime(value), parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, (wanted - date).total_seconds())
    except (ValueError, TypeError):
        return None


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)
