"""Metrics of a release over the devices of a fleet, from their messages (docs/mqtt.md).

Percentiles are those of all frames of all devices: their histograms are merged. Replayed telemetry
(``historical``) may stem from the model before, and is ignored.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from edgeagent.files.state_json import parse_json
from edgeagent.publisher.condition import LATENCIES, FleetMeasurements
from edgeagent.telemetry.contract.messages import ROOT
from edgeagent.timing.histogram import Histogram

logger = logging.getLogger(__name__)

TOPICS = tuple(f"{ROOT}/+/{name}" for name in ("deployment", "status", "telemetry"))
RUNNING = ("trial", "good")
TRIED = (*RUNNING, "rolled_back", "rejected")


@dataclass
class _Device:
    status: str | None = None
    model: tuple[str, str] | None = None
    state: str | None = None
    latency: Histogram = field(default_factory=Histogram)


class Fleet:
    """Collector of the messages of devices.

    Attributes:
        heard: number of messages so far.
    """

    def __init__(self) -> None:
        self.heard = 0
        self._devices: dict[str, _Device] = {}

    def hear(self, topic: str, payload: bytes) -> None:
        """Add a message; one that is not as documented is logged and ignored."""
        self.heard += 1
        name, kind = topic.split("/")[-2:]
        device = self._devices.setdefault(name, _Device())
        if kind == "status":
            device.status = payload.decode("utf-8", "replace")
            return
        try:
            message = parse_json(payload, dict[str, Any]) if payload else {}
            if kind == "deployment":
                _take_deployment(device, message)
            elif device.state in RUNNING:
                _take_telemetry(device, message)
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            logger.warning("%s: is not as documented (%s)", topic, error)

    def measure(self, metric: str, name: str, version: str) -> FleetMeasurements:
        """Return a metric over the devices that run a release, or have tried it.

        Args:
            metric: one of the latencies or rates of :mod:`edgeagent.publisher.condition`.
            name, version: of the release.
        """
        tried = [d for d in self._devices.values() if d.model == (name, version) and d.state in TRIED]
        if metric in LATENCIES:
            reported = [d.latency for d in tried if d.state in RUNNING and d.latency.count]
            merged = Histogram()
            for latency in reported:
                merged.add(latency)
            return FleetMeasurements(getattr(merged.percentiles(), metric), len(reported))
        if metric == "offline_rate":
            failed = [d.status == "offline" for d in tried if d.status is not None]
        else:
            state = "rolled_back" if metric == "rollback_rate" else "rejected"
            failed = [d.state == state for d in tried]
        return FleetMeasurements(100.0 * sum(failed) / len(failed) if failed else None, len(failed))


def _take_deployment(device: _Device, message: dict[str, Any]) -> None:
    name, version = message.get("name"), message.get("version")
    model = (str(name), str(version)) if name and version else None
    if model != device.model:
        device.latency = Histogram()
    device.model, device.state = model, message.get("state")


def _take_telemetry(device: _Device, message: dict[str, Any]) -> None:
    if message.get("historical"):
        return
    for camera in message.get("cameras", {}).values():
        buckets = camera.get("stages", {}).get("end_to_end", {}).get("buckets", {})
        device.latency.add(Histogram.of({int(index): count for index, count in buckets.items()}))
