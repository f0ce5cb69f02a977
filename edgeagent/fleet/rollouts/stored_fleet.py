"""Devices of a model as the store knows them, for the condition that halts a rollout.

`edgeagent publish rollout watch` judges the same condition by what it hears from the broker
(:mod:`edgeagent.publisher.fleet`). The store also has what was measured while nobody listened, and history.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from edgeagent.fleet.queries.tenant_filter import OF_TENANT
from edgeagent.fleet.store.protocol import FleetStore, StoreError
from edgeagent.publisher.condition import Condition, ConditionResult
from edgeagent.publisher.fleet import Fleet, FleetEvidence, hour_of
from edgeagent.publisher.fleet_device import FleetDevice
from edgeagent.publisher.rollout_steps import Plan

DEVICES = f"""
SELECT tenant, device, status, board, bundle, bundle_version, deployment_name, deployment_version,
    deployment_state, length(problem_codes) AS problems, alarm_time, recent_agreement
FROM devices FINAL WHERE {OF_TENANT} AND (deployment_name = {{name:String}} OR bundle = {{name:String}})"""

LATENCY = f"""
SELECT tenant, device, bundle_version, sumMap(buckets) AS histogram
FROM latency_hour FINAL
WHERE {OF_TENANT} AND stage = 'end_to_end' AND bundle = {{name:String}}
    AND at >= {{since:DateTime64(3, 'UTC')}}
GROUP BY tenant, device, bundle_version"""

ENERGY = f"""
SELECT tenant, device, bundle_version, sum(inference_used_j) - sum(inference_idle_j) AS energy_j,
    sum(inferences) AS counted
FROM system_hour FINAL
WHERE {OF_TENANT} AND bundle = {{name:String}} AND at >= {{since:DateTime64(3, 'UTC')}} AND inferences > 0
GROUP BY tenant, device, bundle_version"""


def read_fleet(store: FleetStore, tenant: str, name: str, since: datetime) -> Fleet:
    """Return the devices that serve or try a model, with what they measured from an hour on.

    Args:
        store: of the fleet.
        tenant: whose devices; ``*`` for all.
        name: of the model.
        since: time from whose full hour on latency and energy count.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    hour = hour_of(since)
    given = {"tenant": tenant, "name": name, "since": datetime.fromtimestamp(hour * 3600, since.tzinfo)}
    fleet = Fleet()
    for row in store.query(DEVICES, given).records():
        fleet.devices[_key(row)] = _device(row)
    for row in store.query(LATENCY, given).records():
        device = fleet.devices.get(_key(row))
        if device is not None and device.serving == (name, row["bundle_version"]):
            device.hours[hour].buckets.update({int(index): int(n) for index, n in row["histogram"].items()})
    for row in store.query(ENERGY, given).records():
        device = fleet.devices.get(_key(row))
        if device is not None and device.serving == (name, row["bundle_version"]):
            device.hours[hour].energy_j = float(row["energy_j"])
            device.hours[hour].inferences = int(row["counted"])
    return fleet


class StoreJudge:
    """Judges the conditions of rollouts by the store; :class:`edgeagent.publisher.watch.Watch` calls it.

    Args:
        store: of the fleet.
        tenant: whose devices; ``*`` for all.
    """

    def __init__(self, store: FleetStore, tenant: str) -> None:
        self._store, self._tenant = store, tenant

    def judge(self, condition: Condition, plan: Plan) -> ConditionResult:
        """Judge the condition of a rollout; it is unknown while the store does not answer.

        Only models: the store keeps which version of the agent runs, and not which a device has tried.
        """
        if plan.kind != "model":
            return ConditionResult(
                None,
                f"the store does not keep which devices tried {'an' if plan.kind == 'agent' else 'a'} "
                f"{plan.kind}; watch this rollout with --broker",
            )
        try:
            fleet = read_fleet(self._store, self._tenant, plan.name, plan.since)
        except StoreError as error:
            return ConditionResult(None, f"the store cannot be asked ({error})")
        return condition.judge(FleetEvidence(fleet, plan.of, plan.since), plan.least_devices)


def _key(row: dict[str, Any]) -> str:
    return f"{row['tenant']}/{row['device']}"


def _device(row: dict[str, Any]) -> FleetDevice:
    agreement = row["recent_agreement"]
    return FleetDevice(
        status=row["status"],
        board=row["board"],
        model=_model(row["deployment_name"], row["deployment_version"]),
        bundle=_model(row["bundle"], row["bundle_version"]),
        state=row["deployment_state"],
        problems=None if row["alarm_time"] is None else int(row["problems"]),
        agreement=None if agreement is None else 100.0 * float(agreement),
    )


def _model(name: str | None, version: str | None) -> tuple[str, str] | None:
    return (name, version) if name and version else None
