"""Client of one collector: OpenTelemetry's exporter for OTLP/HTTP in a session that is pinned to the address.

Everything that the exporter would otherwise take from ``OTEL_*`` variables is given, or replaced by the
session: address, headers, certificates, compression, time, provider of credentials, provider of meters.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import NoOpMeterProvider
from prometheus_client.core import Metric

from edgeagent.settings.sections.otlp import OtlpSettings
from edgeagent.telemetry.otlp.metrics_data import metrics_data
from edgeagent.telemetry.otlp.pinned_session import NOT_SENT, PinnedAdapter, pinned_session


class OtlpClient:
    """Client of a collector; one thread sends, another may call :meth:`close`.

    Args:
        settings: address, certificates and time.
        device: name of the device.
        headers: request headers.

    Raises:
        ConfigurationError: the certificates cannot be used.
    """

    def __init__(self, settings: OtlpSettings, device: str, headers: Mapping[str, str]) -> None:
        self._device = device
        self._adapter = PinnedAdapter(settings, headers)
        self.place = self._adapter.place
        # It tells every attempt, with texts of other libraries; the owner tells what became of an export.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL + 1)
        self._exporter = OTLPMetricExporter(
            endpoint=settings.url,
            headers=dict(headers),
            timeout=settings.timeout,
            compression=Compression.Gzip,
            session=pinned_session(self._adapter),
            meter_provider=NoOpMeterProvider(),
        )

    def send(self, families: Iterable[Metric], start_ns: int, now_ns: int) -> str | None:
        """Send metric families, again after pauses where the collector is busy or away, in ``timeout``.

        Args:
            families: of prometheus-client.
            start_ns: when counters began, in nanoseconds of UTC since 1970.
            now_ns: when they were read.

        Returns:
            Why they were not accepted, without a secret; None where they were.
        """
        self._adapter.fault = NOT_SENT
        self._exporter.export(metrics_data(families, self._device, start_ns, now_ns))
        return self._adapter.fault  # the exporter takes a redirection for a success

    def close(self) -> None:
        """End a pause between two attempts, and close the connections."""
        self._exporter.shutdown()
