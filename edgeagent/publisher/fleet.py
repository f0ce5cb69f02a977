"""Metrics of a release over the devices of a fleet, from their messages (docs/mqtt.md).

Percentiles are those of all frames of all devices: their histograms are merged. Replayed telemetry
(``historical``) may stem from the model before, and is ignored. The control group are the devices that run
another version of the same model; both groups are compared over the same hours.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from edgeagent.delivery.repository.clock import utcnow
from edgeagent.files.state_json import parse_json
from edgeagent.publisher.condition import ENERGIES, LATENCIES, FleetMeasurements
from edgeagent.publisher.control_group import DeviceValue, Difference, compare_groups
from edgeagent.telemetry.contract.messages import ROOT
from edgeagent.timing.histogram import Histogram

logger = logging.getLogger(__name__)

KINDS = ("deployment", "status", "telemetry", "info", "alarm", "accuracy")
TOPICS = tuple(f"{ROOT}/+/{name}" for name in KINDS)
RUNNING = ("trial", "good")
TRIED = (*RUNNING, "rolled_back", "rejected")
KEPT_HOURS = 14 * 24


@dataclass
class HourlyMeasurements:
    """What a device measured in one hour: buckets of ``end_to_end``, joules of ``inferences`` inferences."""

    buckets: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    energy_j: float = 0.0
    inferences: int = 0


@dataclass
class FleetDevice:
    """Last state of a device, and what its present model measured by hour (since 1970, UTC).

    Attributes:
        model: name and version of its deployment.
        bundle: name and version that it named as serving, in ``info``.
    """

    status: str | None = None
    board: str | None = None
    model: tuple[str, str] | None = None
    bundle: tuple[str, str] | None = None
    state: str | None = None
    problems: int | None = None
    agreement: float | None = None
    hours: dict[int, HourlyMeasurements] = field(default_factory=lambda: defaultdict(HourlyMeasurements))

    @property
    def serving(self) -> tuple[str, str] | None:
        """Name and version of the model whose telemetry it sends; None while that is not sure."""
        if self.state in RUNNING:
            return self.model
        return self.bundle if self.state in (None, "idle") else None

    def latency(self, since_hour: int = 0) -> Histogram:
        """Return the merged histogram since an hour."""
        merged = Histogram()
        for hour, measured in self.hours.items():
            if hour >= since_hour:
                merged.add(Histogram.of(measured.buckets))
        return merged

    def joules(self, since_hour: int = 0) -> float | None:
        """Return the joules per inference since an hour; None without a reading."""
        hours = [measured for hour, measured in self.hours.items() if hour >= since_hour]
        inferences = sum(measured.inferences for measured in hours)
        return sum(measured.energy_j for measured in hours) / inferences if inferences else None

    def value(self, metric: str, since_hour: int = 0) -> float | None:
        """Return a metric of this device; None where it does not report it, or has too few frames."""
        if metric in LATENCIES:
            percentile: float | None = getattr(self.latency(since_hour).percentiles(), metric)
            return percentile
        if metric in ENERGIES:
            return self.joules(since_hour)
        if metric == "agreement":
            return self.agreement
        if metric == "offline_rate":
            return None if self.status is None else 100.0 * (self.status == "offline")
        if metric == "alarm_rate":
            return None if self.problems is None else 100.0 * (self.problems > 0)
        return 100.0 * (self.state == ("rolled_back" if metric == "rollback_rate" else "rejected"))


class Fleet:
    """Collector of the messages of devices.

    Args:
        now: returns the time, UTC.

    Attributes:
        heard: number of messages so far.
    """

    def __init__(self, now: Callable[[], datetime] = utcnow) -> None:
        self.heard = 0
        self.devices: dict[str, FleetDevice] = {}
        self._now = now

    def hear(self, topic: str, payload: bytes) -> None:
        """Add a message; one that is not as documented is logged and ignored."""
        self.heard += 1
        name, kind = topic.split("/")[-2:]
        device = self.devices.setdefault(name, FleetDevice())
        if kind == "status":
            device.status = payload.decode("utf-8", "replace")
            return
        try:
            message = parse_json(payload, dict[str, Any]) if payload else {}
            if kind == "telemetry":
                self._take_telemetry(device, message)
                return
            before = device.serving
            _TAKES[kind](device, message)
            if device.serving != before:
                device.hours.clear()
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            logger.warning("%s: is not as documented (%s)", topic, error)

    def _take_telemetry(self, device: FleetDevice, message: dict[str, Any]) -> None:
        if message.get("historical") or device.serving is None:
            return
        hour = hour_of(self._now())
        for camera in message.get("cameras", {}).values():
            buckets = camera.get("stages", {}).get("end_to_end", {}).get("buckets", {})
            read = Histogram.of({int(index): count for index, count in buckets.items()}).buckets()
            for index, count in read.items():
                device.hours[hour].buckets[index] += count
        energy = message.get("system", {}).get("joules_per_inference")
        if energy is not None:
            measured = device.hours[hour]
            measured.energy_j += float(energy["value_j"]) * int(energy["inferences"])
            measured.inferences += int(energy["inferences"])
        for old in [kept for kept in device.hours if kept <= hour - KEPT_HOURS]:
            del device.hours[old]


@dataclass(frozen=True)
class FleetEvidence:
    """Evidence of a release (:class:`edgeagent.publisher.condition.RolloutEvidence`) from what was heard.

    Attributes:
        fleet: that was heard.
        name, version: of the release.
        since: time from whose full hour on latency and energy are compared.
    """

    fleet: Fleet
    name: str
    version: str
    since: datetime

    def measure(self, metric: str) -> FleetMeasurements:
        """Return a metric over the devices that run the release, or have tried it."""
        if metric in LATENCIES:
            reported = [d.latency() for d in self._treated(metric)]
            merged = Histogram()
            for latency in reported:
                merged.add(latency)
            with_frames = sum(latency.count > 0 for latency in reported)
            return FleetMeasurements(getattr(merged.percentiles(), metric), with_frames)
        values = [d.value(metric) for d in self._treated(metric)]
        known = [value for value in values if value is not None]
        return FleetMeasurements(sum(known) / len(known) if known else None, len(known))

    def compare(self, metric: str, *, relative: bool) -> Difference | None:
        """Compare these devices with those that run another version; None where these are too few."""
        hour = hour_of(self.since)
        treated, control = self._treated(metric), self._control()
        values = [_values(group, metric, hour) for group in (treated, control)]
        return compare_groups(values[0], values[1], relative=relative)

    def _treated(self, metric: str) -> list[FleetDevice]:
        states = RUNNING if metric in (*LATENCIES, *ENERGIES) else TRIED
        model = (self.name, self.version)
        return [d for d in self.fleet.devices.values() if d.model == model and d.state in states]

    def _control(self) -> list[FleetDevice]:
        others = [(d, d.serving) for d in self.fleet.devices.values()]
        return [d for d, model in others if model and model[0] == self.name and model[1] != self.version]


def hour_of(time: datetime) -> int:
    """Return the full hours since 1970, UTC."""
    return int(time.timestamp() // 3600)


def _values(devices: list[FleetDevice], metric: str, hour: int) -> list[DeviceValue]:
    values = [(d.board, d.value(metric, hour)) for d in devices]
    return [DeviceValue(board, value) for board, value in values if value is not None]


def _take_deployment(device: FleetDevice, message: dict[str, Any]) -> None:
    name, version = message.get("name"), message.get("version")
    model = (str(name), str(version)) if name and version else None
    if model != device.model:
        device.agreement = None
    device.model, device.state = model, message.get("state")


def _take_info(device: FleetDevice, message: dict[str, Any]) -> None:
    board = message.get("board", {}).get("model")
    device.board = None if board is None else str(board)
    bundle = message.get("bundle")
    device.bundle = (str(bundle["name"]), str(bundle["version"])) if bundle else None


def _take_alarm(device: FleetDevice, message: dict[str, Any]) -> None:
    device.problems = len(message["problems"]) if message else None


def _take_accuracy(device: FleetDevice, message: dict[str, Any]) -> None:
    recent = (message.get("agreement") or {}).get("recent")
    device.agreement = None if recent is None else 100.0 * float(recent["matched_share"])


_TAKES: dict[str, Callable[[FleetDevice, dict[str, Any]], None]] = {
    "deployment": _take_deployment,
    "info": _take_info,
    "alarm": _take_alarm,
    "accuracy": _take_accuracy,
}
