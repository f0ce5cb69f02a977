"""ONVIF cameras of the local network, asked for by WS-Discovery: a question to a group, and answers.

::

    Probe of type NetworkVideoTransmitter -> 239.255.255.250:3702, from each interface, TTL 1
        <- ProbeMatches: addresses of the device service, scopes with name and hardware

Sources: OASIS Web Services Dynamic Discovery 1.0 (April 2005 schema, which ONVIF uses); ONVIF Core
Specification, section 7. Answers are not authenticated: what they say is shown, and only an address at the
host that has answered is kept.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import selectors
import socket
import time
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import psutil

from edgeagent.camera.finding.found_camera import FoundCamera
from edgeagent.errors import ConfigurationError
from edgeagent.files.naming import escape_controls, shortened

logger = logging.getLogger(__name__)

GROUP, PORT = "239.255.255.250", 3702
REPEAT_S = (0.0, 0.5)
"""Times at which the question is sent: UDP loses some."""
MOST_CAMERAS, MOST_BYTES, LONGEST_NAME = 256, 65536, 60
_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
_PROBE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    f'<s:Envelope xmlns:s="{_SOAP}" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    f'xmlns:d="{_DISCOVERY}" xmlns:n="http://www.onvif.org/ver10/network/wsdl"><s:Header>'
    "<a:MessageID>urn:uuid:%s</a:MessageID><a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"
    f"<a:Action>{_DISCOVERY}/Probe</a:Action></s:Header><s:Body><d:Probe>"
    "<d:Types>n:NetworkVideoTransmitter</d:Types></d:Probe></s:Body></s:Envelope>"
)


@dataclass(frozen=True, slots=True)
class ProbeMatch:
    """One answer.

    Attributes:
        services: addresses of the device service.
        scopes: what the device says of itself.
    """

    services: tuple[str, ...]
    scopes: tuple[str, ...]

    def scope(self, kind: str) -> str | None:
        """Return the value of a scope ``onvif://www.onvif.org/KIND/VALUE``; None without one."""
        prefix = f"onvif://www.onvif.org/{kind}/"
        found = next((one for one in self.scopes if one.lower().startswith(prefix)), None)
        return None if found is None else unquote(found[len(prefix) :]).strip() or None


def find_onvif(seconds: float, interfaces: Collection[str] = ()) -> tuple[FoundCamera, ...]:
    """Ask the network for ONVIF cameras, and return those that answer in time.

    Args:
        seconds: to wait for answers.
        interfaces: IPv4 addresses of this machine to ask from; all that it has without one.

    Raises:
        ConfigurationError: an interface is no IPv4 address of this machine.
    """
    asking = selectors.DefaultSelector()
    found: dict[str, FoundCamera] = {}
    try:
        for address in interfaces or local_addresses():
            try:
                asking.register(_asker(address), selectors.EVENT_READ)
            except OSError as error:
                if interfaces:
                    raise ConfigurationError(
                        f"interface {address}: cannot be used ({error.strerror})"
                    ) from None
                logger.info("no cameras are looked for from %s (%s)", address, error.strerror)
        _ask(asking, seconds, found)
    finally:
        for key in list(asking.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        asking.close()
    return tuple(sorted(found.values(), key=lambda one: one.address))


def local_addresses() -> list[str]:
    """Return the IPv4 addresses of this machine's interfaces that are up."""
    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    return [
        one.address
        for name, addresses in psutil.net_if_addrs().items()
        if name in up
        for one in addresses
        if one.family == socket.AF_INET
    ]


def _asker(address: str) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        one.bind((address, 0))
        one.setblocking(False)
    except OSError:
        one.close()
        raise
    return one


def _ask(asking: selectors.DefaultSelector, seconds: float, found: dict[str, FoundCamera]) -> None:
    question = (_PROBE % uuid.uuid4()).encode()
    begun, due = time.monotonic(), list(REPEAT_S)
    while (left := begun + seconds - time.monotonic()) > 0 and asking.get_map():
        if due and time.monotonic() >= begun + due[0]:
            del due[0]
            for key in list(asking.get_map().values()):
                _send(key.fileobj, question)  # type: ignore[arg-type]
        wait_s = min(left, begun + due[0] - time.monotonic()) if due else left
        for key, _ in asking.select(max(0.0, wait_s)):
            _receive(key.fileobj, found)  # type: ignore[arg-type]


def _send(one: socket.socket, question: bytes) -> None:
    try:
        one.sendto(question, (GROUP, PORT))
    except OSError as error:
        logger.info("no cameras are looked for from %s (%s)", one.getsockname()[0], error.strerror)


def _receive(one: socket.socket, found: dict[str, FoundCamera]) -> None:
    try:
        content, (host, _) = one.recvfrom(MOST_BYTES)
    except OSError:
        return
    for match in read_matches(content):
        camera = _camera(match, host)
        if camera is not None and len(found) < MOST_CAMERAS:
            found.setdefault(camera.address, camera)


def _camera(match: ProbeMatch, host: str) -> FoundCamera | None:
    """Return the camera of an answer; None where no address of it is at the host that has answered."""
    service = next((one for one in match.services if is_at(one, host)), None)
    if service is None:
        return None
    words = [match.scope("name"), match.scope("hardware")]
    name = " ".join(dict.fromkeys(word for word in words if word)) or host
    return FoundCamera("onvif", shortened(escape_controls(name), LONGEST_NAME), service)


def is_at(url: str, host: str) -> bool:
    """Return whether a URL is one of HTTP without credentials at the address of a host."""
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https")
            and "@" not in parts.netloc
            and (parts.port is None or parts.port > 0)
            and ipaddress.ip_address(parts.hostname or "") == ipaddress.ip_address(host)
            and re.search(r"[\x00-\x20\x7f]", url) is None
        )
    except ValueError:
        return False


def read_matches(content: bytes) -> tuple[ProbeMatch, ...]:
    """Return the matches of an answer; none where it is none, or malformed."""
    root = parse_soap(content)
    if root is None:
        return ()
    matches = root.iter(f"{{{_DISCOVERY}}}ProbeMatch")
    return tuple(ProbeMatch(tuple(_words(one, "XAddrs")), tuple(_words(one, "Scopes"))) for one in matches)


def _words(match: ElementTree.Element, name: str) -> Iterator[str]:
    yield from (match.findtext(f"{{{_DISCOVERY}}}{name}") or "").split()


def parse_soap(content: bytes) -> ElementTree.Element | None:
    """Return the root of a SOAP message; None where it is malformed or has a document type."""
    if b"<!" in re.sub(rb"<!--.*?-->|<!\[CDATA\[", b"", content, flags=re.DOTALL) or b"\x00" in content:
        return None
    try:
        return ElementTree.fromstring(content)  # noqa: S314 (no document type, so no entities)
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
