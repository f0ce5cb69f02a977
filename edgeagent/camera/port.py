"""Network port of a camera, probed while the camera is lost."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from edgeagent.camera.stream import DEFAULT_PORTS

PROBE_EVERY_S = 1.0
_PROBE_TIMEOUT_S = 1.0


def port_of(source: str) -> CameraPort | None:
    """Return the port of a stream's URL; None for every other source and for a malformed URL."""
    try:
        parts = urlsplit(source)
        default = DEFAULT_PORTS.get(parts.scheme.lower())
        if default is None or not parts.hostname:
            return None
        return CameraPort(parts.hostname, parts.port or default)
    except ValueError:
        return None


class CameraPort:
    """TCP port that is probed by connecting to it; nothing is sent.

    Args:
        host: name or address.
        port: TCP port.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._silent = False

    def has_returned(self) -> bool:
        """Probe the port; return whether it answers after it did not at the last probe."""
        before = self._silent
        try:
            socket.create_connection(self._address, _PROBE_TIMEOUT_S).close()
        except OSError:
            self._silent = True
            return False
        self._silent = False
        return before
