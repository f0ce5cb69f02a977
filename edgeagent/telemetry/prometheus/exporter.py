"""Exporter of ``/metrics`` for Prometheus, with prometheus-client (extra ``prometheus``)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from edgeagent.errors import ConfigurationError
from edgeagent.settings.addresses import host_and_port
from edgeagent.settings.sections.prometheus import PrometheusSettings
from edgeagent.telemetry.contract.messages import Alarm, Telemetry
from edgeagent.telemetry.prometheus.server import STOP_S, MetricsServer
from edgeagent.timing.histogram import StageTimes

if TYPE_CHECKING:
    from prometheus_client.core import Metric

logger = logging.getLogger(__name__)


class Exporter:
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
        self._settings, self._times = settings, times
        self._telemetry: Telemetry | None = None
        self._alarm: Alarm | None = None
        self._retained: dict[str, bytes] = {}
        self.refresh: Callable[[Telemetry], Telemetry] = lambda telemetry: telemetry
        """Returns the telemetry of an interval with the counters of now."""
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

    def record(self, telemetry: Telemetry) -> None:
        """Keep the telemetry of an interval for the next request."""
        self._telemetry = telemetry

    def record_alarm(self, alarm: Alarm) -> None:
        """Keep the current problems for the next request."""
        self._alarm = alarm

    def retain(self, retained: Mapping[str, bytes]) -> None:
        """Keep retained messages, by topic, for the next request."""
        self._retained = {**self._retained, **retained}

    def describe(self) -> list[Metric]:
        """Return no metric; prometheus-client asks once, at the registration."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; prometheus-client calls this in the thread of a request."""
        from edgeagent.telemetry.prometheus import metrics
        from edgeagent.telemetry.prometheus.model_metrics import model_metrics

        yield metrics.stage_durations({camera: times.total for camera, times in dict(self._times).items()})
        if self._alarm is not None:
            yield metrics.problem_metrics(self._alarm)
        yield from model_metrics(self._retained)
        if self._telemetry is not None:
            yield from metrics.telemetry_metrics(self.refresh(self._telemetry))
