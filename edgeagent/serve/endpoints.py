"""Addresses to listen on: of this machine only, unless the operator says otherwise.

Neither protocol has a password: who reaches the port may use the detector.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from edgeagent.errors import ConfigurationError
from edgeagent.settings.addresses import host_and_port

LOCALHOST = "127.0.0.1"
LONGEST_PATH = 107
"""Bytes of the path of a local socket on Linux, unix(7)."""
BEYOND_LOOPBACK = "--beyond-loopback"
NO_AUTHENTICATION = (
    "the protocol has no authentication and no encryption: every machine that reaches the port can use the "
    "detector and sends pictures in the clear"
)


@dataclass(frozen=True, slots=True)
class TcpEndpoint:
    """An address and a port.

    Attributes:
        host: IP address.
        port: 0 takes a free one.
    """

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only programs of this machine reach it."""
        return ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return host_and_port(self.host, self.port)


@dataclass(frozen=True, slots=True)
class LocalEndpoint:
    """A local socket in the file system; who may open it is decided by the rights of its folder."""

    path: Path

    loopback = True


def zmq_endpoint(text: str) -> TcpEndpoint | LocalEndpoint:
    """Return an endpoint of the form ``tcp://ADDRESS:PORT`` or ``ipc:///PATH``.

    Raises:
        ConfigurationError: it has another form.
    """
    scheme, found, rest = text.partition("://")
    if found and scheme == "tcp":
        return tcp_endpoint(rest, "--bind")
    if found and scheme == "ipc" and rest.startswith("/"):
        if len(rest.encode()) > LONGEST_PATH:
            raise ConfigurationError(f"--bind: a path of a local socket has at most {LONGEST_PATH} bytes")
        return LocalEndpoint(Path(rest))
    raise ConfigurationError(f"--bind {text!r}: expected tcp://ADDRESS:PORT or ipc:///PATH")


def tcp_endpoint(text: str, option: str) -> TcpEndpoint:
    """Return an endpoint of the form ``ADDRESS:PORT``; ``localhost`` is 127.0.0.1, ``*`` all of IPv4.

    Args:
        text: as given.
        option: name of the option, for messages.

    Raises:
        ConfigurationError: it has another form.
    """
    found = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]]+)):(\d{1,5})", text)
    if found is None or int(found[3]) > 65535:
        raise ConfigurationError(
            f"{option} {text!r}: expected an IP address and a port, as in 127.0.0.1:5555"
        )
    host = {"localhost": LOCALHOST, "*": "0.0.0.0"}.get(found[2], found[1] or found[2])  # noqa: S104  (refused)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ConfigurationError(
            f"{option} {text!r}: {host!r} is no IP address; give that of the network card to listen on"
        ) from None
    return TcpEndpoint(host, int(found[3]))


def check_reach(endpoint: TcpEndpoint | LocalEndpoint, option: str, allowed: bool) -> str | None:
    """Check that an endpoint is reached from this machine only, or that more is allowed.

    Returns:
        A warning for the log; None where nothing is to be said.

    Raises:
        ConfigurationError: other machines reach it, and that is not allowed.
    """
    if endpoint.loopback:
        return None
    if not allowed:
        raise ConfigurationError(
            f"{option}: {endpoint} is reached from other machines, and {NO_AUTHENTICATION}; on a "
            f"network that you trust add {BEYOND_LOOPBACK}, otherwise use {LOCALHOST} or ipc:///PATH"
        )
    return f"{endpoint} is reached from other machines: {NO_AUTHENTICATION}"
