"""What is known of one device now: the newest of what each of its messages said, and its labels."""

from __future__ import annotations

from edgeagent.fleet.queries.device_state import MODEL, STATE, DeviceState
from edgeagent.fleet.queries.fleet_row import FleetRow, UtcTime
from edgeagent.fleet.queries.tenant_filter import OF_TENANT
from edgeagent.fleet.store.protocol import FleetStore

DEVICE = f"""
SELECT *, {STATE} AS state, {MODEL} AS model FROM devices FINAL
WHERE device = {{device:String}} AND tenant = {{owner:String}} AND {OF_TENANT}"""
LABELS = f"""
SELECT label, value FROM labels FINAL
WHERE device = {{device:String}} AND tenant = {{owner:String}} AND value != '' AND {OF_TENANT} ORDER BY label"""


class KnownDevice(FleetRow):
    """What is known of a device; numbers are those of its newest telemetry.

    Attributes:
        tenant, device: names.
        state: as in :mod:`~edgeagent.fleet.queries.device_state`.
        labels: that operators gave it.
        model: name and version.
        bundle, bundle_version, artefact, engine, delegate: what serves, as ``info`` said last.
        serving: delegate and artefact by the newest alarm message; None where nothing serves.
    """

    tenant: str
    device: str
    state: DeviceState
    labels: dict[str, str]
    model: str | None
    status: str | None
    status_time: UtcTime | None
    first_stored: UtcTime
    last_stored: UtcTime
    agent: str | None
    board: str | None
    architecture: str | None
    system: str | None
    kernel: str | None
    bundle: str | None
    bundle_version: str | None
    artefact: str | None
    engine: str | None
    delegate: str | None
    cameras: list[str]
    configuration: str | None
    serving: str | None
    problem_codes: list[str]
    problem_texts: list[str]
    deployment_time: UtcTime | None
    deployment_state: str | None
    deployment_name: str | None
    deployment_version: str | None
    deployment_reason: str | None
    rollout: str | None
    accuracy_time: UtcTime | None
    map50_95: float | None
    map_claimed: float | None
    map_tolerance: float | None
    recent_agreement: float | None
    drifted_cameras: int | None
    telemetry_time: UtcTime | None
    uptime_s: float | None
    fps: float | None
    cameras_running: int | None
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    watts: float | None
    power_quality: str | None
    joules_per_inference: float | None
    temperature_c: float | None
    cpu_percent: float | None
    memory_available_mb: float | None
    throttled: list[str]
    clock: str | None
    clock_offset_s: float | None


def device_facts(store: FleetStore, tenant: str, owner: str, device: str) -> KnownDevice | None:
    """Return what is known of a device; None where the visitor's tenant has none of this name.

    Args:
        store: to ask.
        tenant: of the visitor.
        owner: tenant of the device.
        device: its name.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    parameters = {"tenant": tenant, "owner": owner, "device": device}
    record = next(store.query(DEVICE, parameters).records(), None)
    if record is None:
        return None
    labels = {str(name): str(value) for name, value in store.query(LABELS, parameters).rows}
    return KnownDevice.model_validate({**record, "labels": labels})
