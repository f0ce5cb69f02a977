"""Exporter of all metrics to a collector by OTLP/HTTP (extra ``otlp``).

::

    wait (first a random part of the interval) -> read -> send --accepted--> wait
                                                           |--anything else: told in the log--> wait
    stop -> send once more, except where the last one failed -> ended

Nothing is kept for later: sums and histograms count since the start, so the next export has what was missed.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Mapping

from edgeagent.errors import ConfigurationError
from edgeagent.settings.sections.otlp import OtlpSettings
from edgeagent.telemetry.otlp.header_file import read_headers
from edgeagent.telemetry.prometheus.metric_source import MetricSource
from edgeagent.timing.deadline import Deadline
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.histogram import StageTimes
from edgeagent.timing.repeat_limit import RepeatLimit

logger = logging.getLogger(__name__)

STOP_S = 1.0
HEADERS = "the headers of otlp"


class OtlpExporter(MetricSource):
    """Thread that reads all metrics and sends them, at an interval.

    Args:
        settings: of the export.
        device: name of the device.
        times: stage times by camera, since the start of the agent.

    Raises:
        ConfigurationError: a package is not installed, or headers or certificates cannot be read.
    """

    def __init__(self, settings: OtlpSettings, device: str, times: Mapping[str, StageTimes]) -> None:
        try:
            from edgeagent.telemetry.otlp.otlp_client import OtlpClient
        except ImportError as error:
            raise ConfigurationError(
                f"otlp needs one more package ({error}); pip install 'edgeagent[otlp]'"
            ) from error
        super().__init__(times)
        self._interval_s = settings.interval
        headers = {} if settings.headers_file is None else read_headers(settings.headers_file, HEADERS)
        self._client = OtlpClient(settings, device, headers)
        self._start_ns, self._began_ns = time.time_ns(), time.monotonic_ns()
        self._fault: str | None = None  # of the last export
        self._reached, self._failed_s = False, time.monotonic()
        self._repeats = RepeatLimit()
        self._stopping = threading.Event()
        self._thread = GuardedThread(self._run, "otlp")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()
        logger.info("metrics go to %s by OTLP", self._client.place)

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Stop; the last readings are sent within ``timeout_s``, except where the last export failed."""
        deadline = Deadline(timeout_s)
        self._stopping.set()
        started = self._thread.ident is not None
        if started and self._fault is None:
            self._thread.join(deadline.left_s)
        self._client.close()
        if started:
            self._thread.join(deadline.left_s)

    def _run(self) -> None:
        pause_s = random.uniform(0.0, self._interval_s)  # boards that start together do not send together
        while not self._stopping.wait(pause_s):
            self._export()
            pause_s = self._interval_s
        if self._fault is None:
            self._export()

    def _export(self) -> None:
        now_ns = time.time_ns()
        if now_ns <= self._start_ns:  # the clock was set back
            self._start_ns = now_ns - (time.monotonic_ns() - self._began_ns)
        self._fault = self._client.send(self.collect(), self._start_ns, now_ns)
        now_s = time.monotonic()
        if self._fault is None:
            if not self._reached:
                logger.info("otlp: %s takes metrics", self._client.place)
            self._repeats.worked(now_s - self._failed_s)
        else:
            self._failed_s = now_s
            if self._repeats.allows(self._fault, now_s):
                logger.warning(
                    "otlp: %s %s; the next export is tried at its time", self._client.place, self._fault
                )
        self._reached = self._fault is None
