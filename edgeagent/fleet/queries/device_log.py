"""What happened on one device? Events, deployments, alarms and accuracy, newest first."""

from __future__ import annotations

from edgeagent.fleet.queries.fleet_row import FleetRow, UtcTime, read_records
from edgeagent.fleet.queries.tenant_filter import OF_TENANT
from edgeagent.fleet.store.protocol import FleetStore

_OF_DEVICE = f"WHERE device = {{device:String}} AND tenant = {{owner:String}} AND {OF_TENANT}"
EVENTS = f"""
SELECT time, kind, text, clock FROM events FINAL {_OF_DEVICE}
ORDER BY run DESC, sequence DESC LIMIT {{limit:UInt32}}"""
DEPLOYMENTS = f"""
SELECT time, state, name, version, reason, rollout, source FROM deployments FINAL {_OF_DEVICE} AND state != 'idle'
ORDER BY time DESC LIMIT {{limit:UInt32}}"""
ACCURACY = f"""
SELECT time, model, map50_95, map_claimed, map_tolerance, recent_share, recent_low, recent_high,
    arrayExists(state -> state = 'drifted', drift_states) AS drifted, arrayMax(drift_index) AS drift_index
FROM accuracy FINAL {_OF_DEVICE} ORDER BY time DESC LIMIT {{limit:UInt32}}"""


class DeviceEvent(FleetRow):
    """Event of a device; ``clock`` is not ``ok`` where its time is that of arrival."""

    time: UtcTime
    kind: str
    text: str
    clock: str


class DeploymentStep(FleetRow):
    """State that a deployment reached."""

    time: UtcTime
    state: str
    name: str | None
    version: str | None
    reason: str | None
    rollout: str | None
    source: str | None


class AccuracyPoint(FleetRow):
    """Accuracy indicators at one time; what was not measured is None."""

    time: UtcTime
    model: str
    map50_95: float | None
    map_claimed: float | None
    map_tolerance: float | None
    recent_share: float | None
    recent_low: float | None
    recent_high: float | None
    drifted: bool
    drift_index: float | None


class DeviceLog(FleetRow):
    """What happened on a device, newest first."""

    events: list[DeviceEvent]
    deployments: list[DeploymentStep]
    accuracy: list[AccuracyPoint]


def device_log(store: FleetStore, tenant: str, owner: str, device: str, limit: int = 100) -> DeviceLog:
    """Return what happened on a device.

    Args:
        store: to ask.
        tenant: of the visitor.
        owner: tenant of the device.
        device: its name.
        limit: most rows of each kind.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    parameters = {"tenant": tenant, "owner": owner, "device": device, "limit": limit}
    return DeviceLog(
        events=read_records(store, DeviceEvent, EVENTS, parameters),
        deployments=read_records(store, DeploymentStep, DEPLOYMENTS, parameters),
        accuracy=read_records(store, AccuracyPoint, ACCURACY, parameters),
    )
