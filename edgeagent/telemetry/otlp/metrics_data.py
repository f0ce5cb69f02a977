"""Conversion of Prometheus's metric families into OpenTelemetry's data model of metrics.

The rules are those of OpenTelemetry's "Prometheus and OpenMetrics Compatibility": a counter is a monotonic
sum under the name of its family, without ``_total``; a gauge is a gauge, a histogram has explicit bounds,
and what only carries labels (``_info``) a sum that is not monotonic. All sums are cumulative since the start.
What has no sample has no data point.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.core import Metric as Family

from edgeagent.version import __version__

UNITS = {"seconds": "s", "bytes": "By", "celsius": "Cel", "watts": "W", "joules": "J", "ratio": "1"}
"""Units of UCUM by the last word of a name."""

Labels = tuple[tuple[str, str], ...]


def metrics_data(families: Iterable[Family], device: str, start_ns: int, now_ns: int) -> MetricsData:
    """Return metric families as metrics of one device.

    Args:
        families: of prometheus-client.
        device: name of the device.
        start_ns: when sums and histograms began, in nanoseconds of UTC since 1970.
        now_ns: when they were read, in the same time.
    """
    resource = Resource(  # not Resource.create, which reads variables of the environment
        {"service.name": "edgeagent", "service.version": __version__, "service.instance.id": device}
    )
    metrics = list(_metrics(families, start_ns, now_ns))
    scope = ScopeMetrics(InstrumentationScope("edgeagent", __version__), metrics, "")
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _metrics(families: Iterable[Family], start_ns: int, now_ns: int) -> Iterator[Metric]:
    for family in families:
        if not family.samples:
            continue
        unit = UNITS.get(family.name.rpartition("_")[2], "")
        if family.type == "histogram":
            points = list(_distributions(family, start_ns, now_ns))
            data = Histogram(points, AggregationTemporality.CUMULATIVE)
            yield Metric(family.name, family.documentation, unit, data)
            continue
        numbers = [
            NumberDataPoint(dict(sample.labels), start_ns, now_ns, float(sample.value))
            for sample in family.samples
        ]
        if family.type == "counter":
            total = Sum(numbers, AggregationTemporality.CUMULATIVE, is_monotonic=True)
            yield Metric(family.name, family.documentation, unit, total)
        elif family.type == "info":
            one = Sum(numbers, AggregationTemporality.CUMULATIVE, is_monotonic=False)
            yield Metric(f"{family.name}_info", family.documentation, "", one)
        else:
            yield Metric(family.name, family.documentation, unit, Gauge(numbers))


def _distributions(family: Family, start_ns: int, now_ns: int) -> Iterator[HistogramDataPoint]:
    """Yield the points of a histogram family; counts of a bucket leave out those of smaller bounds."""
    bounds: dict[Labels, dict[float, float]] = {}  # cumulative counts by upper bound
    sums: dict[Labels, float] = {}
    for sample in family.samples:
        labels = tuple(sorted((name, text) for name, text in sample.labels.items() if name != "le"))
        if sample.name.endswith("_bucket"):
            bounds.setdefault(labels, {})[float(sample.labels["le"])] = sample.value
        elif sample.name.endswith("_sum"):
            sums[labels] = sample.value
    for labels, cumulative_counts in bounds.items():
        ordered = sorted(cumulative_counts.items())
        counts = [int(count) for _, count in ordered]
        yield HistogramDataPoint(
            dict(labels),
            start_ns,
            now_ns,
            count=counts[-1],
            sum=sums[labels],
            bucket_counts=[count - below for count, below in zip(counts, [0, *counts], strict=False)],
            explicit_bounds=[bound for bound, _ in ordered[:-1]],  # the last one is infinite
            min=None,  # type: ignore[arg-type]  # optional in the protocol, and not known
            max=None,  # type: ignore[arg-type]
        )
