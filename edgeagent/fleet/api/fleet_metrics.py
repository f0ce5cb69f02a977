"""Totals of the fleet for Prometheus, at ``/metrics``: few series, however many devices there are."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from edgeagent.fleet.page.fleet_guard import actor_of_request
from edgeagent.fleet.queries.fleet_glance import fleet_glance
from edgeagent.fleet.queries.fleet_totals import dead_letters, present_alarms, total_lost
from edgeagent.fleet.store.protocol import FleetStore


class FleetMetrics:
    """Answers of ``/metrics``.

    Args:
        store: that is asked.
    """

    def __init__(self, store: FleetStore) -> None:
        self._store = store

    def answer(self, request: Request) -> Response:
        """Return the totals of the tenant of whoever asks."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Totals(self._store, actor_of_request(request).tenant))
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Totals:
    """Collector of one answer."""

    def __init__(self, store: FleetStore, tenant: str) -> None:
        self._store, self._tenant = store, tenant

    def describe(self) -> Iterator[Metric]:
        """Return nothing, so that nothing is asked when the collector is registered."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the totals."""
        glance = fleet_glance(self._store, self._tenant)
        devices = GaugeMetricFamily("edgeagent_fleet_devices", "Devices by state.", labels=["state"])
        for state, count in glance.states.items():
            devices.add_metric([state], count)
        yield devices
        yield GaugeMetricFamily(
            "edgeagent_fleet_frames_per_second", "Processed frames of connected devices.", glance.fps
        )
        if glance.watts is not None:
            yield GaugeMetricFamily(
                "edgeagent_fleet_power_watts", "Power of devices that measure it.", glance.watts
            )
            yield GaugeMetricFamily(
                "edgeagent_fleet_power_devices", "Devices that the power is of.", glance.measured
            )
        if glance.newest is not None:
            yield GaugeMetricFamily(
                "edgeagent_fleet_newest_message_timestamp_seconds",
                "Time at which the newest message was stored.",
                glance.newest.timestamp(),
            )
        alarms = GaugeMetricFamily("edgeagent_fleet_alarms", "Present alarms by code.", labels=["code"])
        for code, count in present_alarms(self._store, self._tenant).items():
            alarms.add_metric([code], count)
        yield alarms
        refused = GaugeMetricFamily(
            "edgeagent_fleet_dead_letters", "Messages that could not be stored, by reason.", labels=["reason"]
        )
        for reason, count in dead_letters(self._store, self._tenant).items():
            refused.add_metric([reason], count)
        yield refused
        yield GaugeMetricFamily(
            "edgeagent_fleet_lost_messages",
            "Messages missing in the numbers of streams, of the kept ones.",
            total_lost(self._store, self._tenant),
        )
