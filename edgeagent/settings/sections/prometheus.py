"""The ``prometheus`` section of the configuration: address of the metrics endpoint."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from edgeagent.settings.addresses import is_host
from edgeagent.settings.types import SettingsSection


def _address(value: str) -> str:
    match = re.fullmatch(r"(?:([A-Za-z0-9._-]+)|\[([0-9A-Fa-f:.]+)\]):(\d{1,5})", value)
    if match is None or not 0 < int(match.group(3)) < 65536 or not is_host(match.group(1) or match.group(2)):
        raise ValueError("expected an address and a port, such as 127.0.0.1:9477 or [::1]:9477")
    return value


class PrometheusSettings(SettingsSection):
    """Prometheus settings.

    Attributes:
        listen: address and port of ``/metrics``. There is no authentication: expose it to trusted networks
            only.
    """

    listen: Annotated[str, AfterValidator(_address)] = "127.0.0.1:9477"

    @property
    def host(self) -> str:
        """Address, without the brackets of an IPv6 address."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """TCP port."""
        return int(self.listen.rpartition(":")[2])
