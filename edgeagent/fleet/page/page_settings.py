"""Settings of the fleet's page, as the command line gives them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeagent.settings.addresses import host_of, is_loopback, listening_port

SESSION_S = 43_200.0


@dataclass(frozen=True, slots=True)
class FleetPageSettings:
    """Where the page is reached, and by whom.

    Attributes:
        listen: address and port.
        name: of the fleet, above each page.
        hosts: further names under which the page is opened, such as that of a proxy.
        session: seconds after which a person signs in again.
        certificate, key: files for TLS.
        metrics_open: whether ``/metrics`` needs no token.
    """

    listen: str = "127.0.0.1:8478"
    name: str = "Fleet"
    hosts: tuple[str, ...] = ()
    session: float = SESSION_S
    certificate: Path | None = None
    key: Path | None = None
    metrics_open: bool = False

    @property
    def host(self) -> str:
        """Address, without the brackets of an IPv6 address."""
        return host_of(self.listen)

    @property
    def port(self) -> int:
        """TCP port."""
        return listening_port(self.listen)

    @property
    def only_here(self) -> bool:
        """Whether only this machine reaches the page: no proxy has a name for it either."""
        return is_loopback(self.host) and not self.hosts
