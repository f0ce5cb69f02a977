"""The ``otlp`` section of the configuration: collector that metrics are sent to.

A signed configuration never carries it: it names a server that readings go to, and a file with secrets.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from edgeagent.settings.addresses import is_loopback, server_url
from edgeagent.settings.types import Seconds, SettingsSection


def _collector_url(value: str) -> str:
    parts = urlsplit(server_url(value))
    if "@" in parts.netloc or parts.query:
        raise ValueError("a password or parameters in the URL are not used; give headers_file")
    if parts.path in ("", "/"):
        raise ValueError("expected the whole address with its path, which usually is /v1/metrics")
    if parts.scheme.lower() != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("expected https://; only a collector on this machine is sent to in clear text")
    return value


class OtlpSettings(SettingsSection):
    """Settings of the export by OTLP/HTTP.

    Attributes:
        url: whole address of the collector, with the path of metrics.
        headers_file: file of request headers, each a line ``Name: value``; None sends none.
        ca: file of trusted CA certificates; None uses those of the system.
        interval: pause between two exports, in seconds.
        timeout: seconds that an export may take, with its repetitions.
    """

    url: Annotated[str, AfterValidator(_collector_url)]
    headers_file: Path | None = None
    ca: Path | None = None
    interval: Annotated[Seconds, Field(ge=1, le=86400)] = 60.0
    timeout: Annotated[Seconds, Field(ge=1, le=300)] = 10.0
