"""The ``prometheus`` section of the configuration: address of the metrics endpoint."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from edgeagent.settings.addresses import host_of, listening_address, listening_port
from edgeagent.settings.types import SettingsSection


class PrometheusSettings(SettingsSection):
    """Prometheus settings.

    Attributes:
        listen: address and port of ``/metrics``. There is no authentication: expose it to trusted networks
            only.
    """

    listen: Annotated[str, AfterValidator(listening_address)] = "127.0.0.1:9477"

    @property
    def host(self) -> str:
        """Address, without the brackets of an IPv6 address."""
        return host_of(self.listen)

    @property
    def port(self) -> int:
        """TCP port."""
        return listening_port(self.listen)
