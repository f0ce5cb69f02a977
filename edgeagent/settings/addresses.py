"""Addresses in the configuration: host names, URLs of servers and of network cameras.

An address is checked when the file is read, so that a mistake is reported with its line. Otherwise it would
show as a name that cannot be resolved, again and again. Nothing is connected or resolved here.
"""

from __future__ import annotations

import ipaddress
import re

_WEBSOCKETS = ("ws", "wss")
_ENCRYPTED = ("mqtts", "ssl", "tls", "wss")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CAMERA_URL = re.compile(r"(?:rtsps?|https?)://(.*)", re.IGNORECASE | re.DOTALL)


def host_name(value: str) -> str:
    """Return a host name or an IP address as given.

    Raises:
        ValueError: it is none, or more than one; the message names the key for the rest.
    """
    if not value.strip():
        raise ValueError("expected a host name or an address")
    if "://" in value:
        scheme = value.partition("://")[0].lower()
        advice = ["a port in `port`"]
        if scheme in _WEBSOCKETS:
            advice.append("`transport: websockets` with `path`")
        if scheme in _ENCRYPTED:
            advice.append("`tls: {}`")
        raise ValueError(f"expected a host name alone, without {scheme}://; give {', '.join(advice)}")
    if "@" in value:
        raise ValueError("expected a host name alone; give user and password in `username`, `password_file`")
    if re.fullmatch(r"[^:\[\]]*:\d*", value) or re.fullmatch(r"\[.*\](:\d*)?", value):
        raise ValueError("expected a host name or address alone, without brackets; give the port in `port`")
    if not is_host(value):
        raise ValueError("this cannot be a host name")
    return value


def is_host(value: str) -> bool:
    """Return whether a text can be a host name or an IP address, which may have a zone."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        pass
    else:
        return True
    if not re.fullmatch(r"[^\s/:@?#%\[\]\x00-\x20\x7f]{1,253}", value):
        return False
    try:
        return bool(value.encode("idna"))
    except UnicodeError:  # an empty label, or one of more than 63 characters
        return False


def host_and_port(host: str, port: int) -> str:
    """Return an address as text, such as ``broker:1883`` or ``[fd00::1]:1883``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def server_url(value: str) -> str:
    """Return an ``http://`` or ``https://`` URL as given.

    Raises:
        ValueError: host or port are missing or malformed, or there is a fragment.
    """
    if not re.match(r"https?://", value, re.IGNORECASE):
        raise ValueError("expected http:// or https:// and a host")
    if re.search(r"[\x00-\x20\x7f]", value):
        raise ValueError("a blank or control character in the URL; write it as %20")
    if "#" in value:
        raise ValueError("a # ends a URL; write one in a password as %23")
    authority = re.split(r"[/?]", value.partition("://")[2])[0]
    if not _has_host(authority.rpartition("@")[2]):
        raise ValueError("expected a host, and a port of 1 to 65535 or none")
    return value


def camera_source(value: str) -> str:
    """Return a camera source as given; the URL of a network camera needs a host.

    Raises:
        ValueError: host or port are missing or malformed, or no camera is read by that scheme.
    """
    url = _CAMERA_URL.fullmatch(value)
    if url is None:
        scheme = _SCHEME.match(value)
        if scheme is not None:
            raise ValueError(
                f"{scheme[1]}:// is not supported; expected rtsp://, rtsps://, http://, https://, a number, "
                "/dev/videoN, gstreamer:, picamera2:, a file or a folder"
            )
        return value
    # a password may hold what ends the host otherwise, and a parameter may hold "@"
    ends = (url[1].rpartition("@")[2], re.split(r"[/?#]", url[1])[0].rpartition("@")[2])
    if not any(_has_host(re.split(r"[/?#]", end)[0]) for end in ends):
        raise ValueError("expected a host behind ://, and a port of 1 to 65535 or none")
    return value


def _has_host(authority: str) -> bool:
    """Return whether ``host``, ``host:port`` or ``[address]:port`` is well-formed."""
    found = re.fullmatch(r"(?:\[([^\]]*)\]|([^:]*))(?::(\d{0,5}))?", authority)
    if found is None or (found[3] and not 0 < int(found[3]) < 65536):
        return False
    return is_host(found[1] or found[2] or "")


def listening_address(value: str) -> str:
    """Return an address and a port to listen on as given.

    Raises:
        ValueError: it is none, such as one without a port.
    """
    match = re.fullmatch(r"(?:([A-Za-z0-9._-]+)|\[([0-9A-Fa-f:.]+)\]):(\d{1,5})", value)
    if match is None or not 0 < int(match.group(3)) < 65536 or not is_host(match.group(1) or match.group(2)):
        raise ValueError("expected an address and a port, such as 127.0.0.1:9477 or [::1]:9477")
    return value


def host_of(listening: str) -> str:
    """Return the host of an address with a port, without the brackets of an IPv6 address."""
    return listening.rpartition(":")[0].strip("[]")


def listening_port(listening: str) -> int:
    """Return the port of an address with a port."""
    return int(listening.rpartition(":")[2])


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
