"""Metrics of a release over the devices of a fleet, from their messages (docs/mqtt.md).

Percentiles are those of all frames of all devices: their histograms are merged. Replayed telemetry
(``historical``) may stem from the model before, and is ignored. The control group are the devices that run
another version of what is rolled out: of the same model, of the agent, or of the configuration. Both groups
are compared over the same hours and within a board; those of an agent or a configuration also within a
version of the model.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from edgeagent.delivery.repository.clock import utcnow
from edgeagent.files.state_json import parse_json
from edgeagent.publisher.condition import ENERGIES, LATENCIES, FleetMeasurements
from edgeagent.publisher.control_group import DeviceValue, Difference, compare_groups
from edgeagent.publisher.fleet_device import RUNNING, TRIED, FleetDevice
from edgeagent.publisher.rollout_steps import RolledOut
from edgeagent.telemetry.contract.messages import ROOT
from edgeagent.timing.histogram import Histogram

logger = logging.getLogger(__name__)

KINDS = ("deployment", "status", "telemetry", "info", "alarm", "accuracy")
TOPICS = tuple(f"{ROOT}/+/{name}" for name in KINDS)
KEPT_HOURS = 14 * 24
_ENDS = {"rollback_rate": "rolled_back", "rejected_rate": "rejected"}


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
            before = device.runs
            _TAKES[kind](device, message)
            if device.runs != before:
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
        which: release.
        since: time from whose full hour on latency and energy are compared.
    """

    fleet: Fleet
    which: RolledOut
    since: datetime

    def measure(self, metric: str) -> FleetMeasurements:
        """Return a metric over the devices that run the release, or have tried it."""
        treated = self._treated(metric)
        if metric in LATENCIES:
            reported = [d.latency() for d in treated]
            merged = Histogram()
            for latency in reported:
                merged.add(latency)
            with_frames = sum(latency.count > 0 for latency in reported)
            return FleetMeasurements(getattr(merged.percentiles(), metric), with_frames)
        end = _ENDS.get(metric)
        if end is not None:
            share = 100.0 * sum(d.state_in(self.which) == end for d in treated) / max(1, len(treated))
            return FleetMeasurements(share if treated else None, len(treated))
        values = [d.value(metric) for d in treated]
        known = [value for value in values if value is not None]
        return FleetMeasurements(sum(known) / len(known) if known else None, len(known))

    def compare(self, metric: str, *, relative: bool) -> Difference | None:
        """Compare these devices with those that run another version; None where these are too few."""
        treated, control = self._treated(metric), self._control()
        values = [self._values(group, metric) for group in (treated, control)]
        return compare_groups(values[0], values[1], relative=relative)

    def _treated(self, metric: str) -> list[FleetDevice]:
        states = RUNNING if metric in (*LATENCIES, *ENERGIES) else TRIED
        return [d for d in self.fleet.devices.values() if d.state_in(self.which) in states]

    def _control(self) -> list[FleetDevice]:
        return [d for d in self.fleet.devices.values() if d.runs_another(self.which)]

    def _values(self, devices: list[FleetDevice], metric: str) -> list[DeviceValue]:
        hour = hour_of(self.since)
        values = [(self._board(d), d.value(metric, hour)) for d in devices]
        return [DeviceValue(board, value) for board, value in values if value is not None]

    def _board(self, device: FleetDevice) -> str | None:
        """Return within what a device is compared: its board, and the model unless that is rolled out."""
        if self.which.kind == "model" or device.serving is None:
            return device.board
        return f"{device.board}, {' '.join(device.serving)}"


def hour_of(time: datetime) -> int:
    """Return the full hours since 1970, UTC."""
    return int(time.timestamp() // 3600)


def _take_deployment(device: FleetDevice, message: dict[str, Any]) -> None:
    name, version = message.get("name"), message.get("version")
    model = (str(name), str(version)) if name and version else None
    if model != device.model:
        device.agreement = None
    device.model, device.state = model, message.get("state")
    agent, configuration = message.get("agent") or {}, message.get("configuration")
    if agent:
        device.agent = str(agent["running"])
    trying = (agent.get("version") or agent.get("running")) if agent.get("state") == "trial" else None
    device.agent_trying = None if trying is None else str(trying)
    device.agent_ended = _tried(agent.get("last_version"), agent.get("last_state"))
    device.configurations, signed = configuration is not None, configuration or {}
    device.configuration = signed.get("serving")
    device.configuration_tried = _tried(signed.get("version"), signed.get("state"))


def _tried(version: object, state: object) -> tuple[str, str] | None:
    return (str(version), str(state)) if version and state else None


def _take_info(device: FleetDevice, message: dict[str, Any]) -> None:
    board = message.get("board", {}).get("model")
    device.board = None if board is None else str(board)
    bundle = message.get("bundle")
    device.bundle = (str(bundle["name"]), str(bundle["version"])) if bundle else None
    if message.get("agent") is not None:
        device.agent = str(message["agent"])


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
