"""The ``prometheus`` section of the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from edgeagent.settings_types import Section


class PrometheusSettings(Section):
    """Where ``/metrics`` is served.

    Attributes:
        host: address to listen on. There is no password: open it only to a network that may read it.
        port: TCP port.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(gt=0, lt=65536)] = 9477
