"""Exporter of ``/metrics`` for Prometheus, with prometheus-client (extra ``prometheus``)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from edgeagent.errors import ConfigurationError
from edgeagent.settings.addresses import host_and_port
from edgeagent.settings.sections.prometheus import PrometheusSettings
from edgeagent.telemetry.prometheus.metric_source import MetricSource
from edgeagent.telemetry.prometheus.server import STOP_S, MetricsServer
from edgeagent.timing.histogram import StageTimes

if TYPE_CHECKING:
    from prometheus_client.core import Metric

logger = logging.getLogger(__name__)


class Exporter(MetricSource):
    """Web server that collects all metrics at each request.

    Args:
        settings: address and port.
        times: stage times by camera, since the start of the agent.

    Raises:
        ConfigurationError: prometheus-client is not installed.
    """

    def __init__(self, settings: PrometheusSettings, times: Mapping[str, StageTimes]) -> None:
        try:
            import prometheus_client  # noqa: F401 - an extra
        except ImportError as error:
            raise ConfigurationError(
                "prometheus: prometheus-client is not installed; pip install edgeagent[prometheus]"
            ) from error
        super().__init__(times)
        self._settings = settings
        self._server: MetricsServer | None = None

    def start(self) -> None:
        """Open the port.

        Raises:
            ConfigurationError: the port cannot be opened.
        """
        from prometheus_client import CollectorRegistry, make_wsgi_app

        registry = CollectorRegistry()
        registry.register(self)
        host, port = self._settings.host, self._settings.port
        try:
            self._server = MetricsServer(host, port, make_wsgi_app(registry))
        except OSError as error:
            raise ConfigurationError(
                f"prometheus: {host_and_port(host, port)} cannot be listened on ({error})"
            ) from error
        self._server.start()
        logger.info("metrics for Prometheus at http://%s/metrics", host_and_port(host, port))

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Close the port."""
        if self._server is not None:
            self._server.stop(timeout_s)

    def describe(self) -> list[Metric]:
        """Return no metric; prometheus-client asks once, at the registration."""
        return []
