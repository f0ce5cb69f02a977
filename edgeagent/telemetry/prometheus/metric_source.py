"""Latest messages of the contract, and the metric families made of them at a request or an export."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from edgeagent.telemetry.contract.messages import Alarm, Telemetry
from edgeagent.timing.histogram import StageTimes

if TYPE_CHECKING:
    from prometheus_client.core import Metric


class MetricSource:
    """Source of all metrics of the device; needs prometheus-client.

    Args:
        times: stage times by camera, since the start of the agent.
    """

    def __init__(self, times: Mapping[str, StageTimes]) -> None:
        self._times = times
        self._telemetry: Telemetry | None = None
        self._alarm: Alarm | None = None
        self._retained: dict[str, bytes] = {}
        self.refresh: Callable[[Telemetry], Telemetry] = lambda telemetry: telemetry
        """Returns the telemetry of an interval with the counters of now."""

    def record(self, telemetry: Telemetry) -> None:
        """Keep the telemetry of an interval."""
        self._telemetry = telemetry

    def record_alarm(self, alarm: Alarm) -> None:
        """Keep the current problems."""
        self._alarm = alarm

    def retain(self, retained: Mapping[str, bytes]) -> None:
        """Keep retained messages, by topic."""
        self._retained = {**self._retained, **retained}

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics as they are now; in any thread."""
        from edgeagent.telemetry.prometheus import metrics
        from edgeagent.telemetry.prometheus.model_metrics import model_metrics

        yield metrics.stage_durations({camera: times.total for camera, times in dict(self._times).items()})
        if self._alarm is not None:
            yield metrics.problem_metrics(self._alarm)
        yield from model_metrics(self._retained)
        if self._telemetry is not None:
            yield from metrics.telemetry_metrics(self.refresh(self._telemetry))
