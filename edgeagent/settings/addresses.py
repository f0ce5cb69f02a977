"""Addresses in the configuration: host names, URLs of servers and of network cameras.

An address is checked when the file is read, so that a mistake is reported with its line. Otherwise it would
show as a name that cannot be resolved, again and again. Nothing is connected or resolved here.
"""

from __future__ import annotations

import ipaddress
import re

_WEBSOCKETS = ("ws", "wss")
_ENCRYPTED = ("mqtts", "ssl", "tls", "wss")
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
        ValueError: host or port are missing or malformed.
    """
    url = _CAMERA_URL.fullmatch(value)
    if url is None:
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
