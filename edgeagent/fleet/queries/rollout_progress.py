"""How far is each rollout? Devices of each release by cohort and state, with the reasons of failures."""

from __future__ import annotations

from edgeagent.fleet.queries.fleet_row import FleetRow, UtcTime, read_records
from edgeagent.fleet.queries.tenant_filter import OF_TENANT
from edgeagent.fleet.store.protocol import FleetStore

COHORT_LABEL = "cohort"
MOST_RELEASES, MOST_REASONS = 200, 100

PROGRESS = f"""
SELECT name, version, rollout, cohort, count() AS devices,
    countIf(state IN ('fetching', 'verifying', 'staged', 'gating')) AS underway, countIf(state = 'trial') AS trial,
    countIf(state = 'good') AS good, countIf(state = 'rolled_back') AS rolled_back,
    countIf(state = 'rejected') AS rejected, countIf(status = 'offline') AS offline,
    min(changed) AS first, max(changed) AS last
FROM (
    SELECT assumeNotNull(d.deployment_name) AS name, ifNull(d.deployment_version, '') AS version,
        ifNull(d.rollout, '') AS rollout, ifNull(l.value, '') AS cohort, d.deployment_state AS state,
        d.status AS status, d.deployment_time AS changed
    FROM (SELECT tenant, device, deployment_name, deployment_version, rollout, deployment_state, status,
            deployment_time
        FROM devices FINAL WHERE {OF_TENANT} AND isNotNull(deployment_name)) AS d
    LEFT JOIN (
        SELECT tenant, device, value FROM labels FINAL WHERE label = '{COHORT_LABEL}' AND {OF_TENANT}) AS l
    ON d.tenant = l.tenant AND d.device = l.device)
GROUP BY name, version, rollout, cohort ORDER BY last DESC, name, version DESC, cohort LIMIT {MOST_RELEASES}
SETTINGS join_algorithm = 'full_sorting_merge'"""

REASONS = f"""
SELECT assumeNotNull(deployment_name) AS name, ifNull(deployment_version, '') AS version,
    assumeNotNull(deployment_state) AS state, ifNull(deployment_reason, '') AS reason, count() AS devices,
    any(device) AS example, any(tenant) AS example_tenant
FROM devices FINAL
WHERE {OF_TENANT} AND isNotNull(deployment_name) AND deployment_state IN ('rolled_back', 'rejected')
GROUP BY name, version, state, reason ORDER BY devices DESC LIMIT {MOST_REASONS}"""


class RolloutProgress(FleetRow):
    """Devices of a cohort whose last deployment is of a release.

    Attributes:
        name, version: of the release.
        rollout: id of the rollout; "" without one.
        cohort: value of the label ``cohort``; "" are the devices without it.
        devices: number of devices.
        underway, trial, good, rolled_back, rejected: of them by state; ``underway`` are before the trial.
        offline: of them.
        first, last: times at which the first and last of them changed their state.
    """

    name: str
    version: str
    rollout: str
    cohort: str
    devices: int
    underway: int
    trial: int
    good: int
    rolled_back: int
    rejected: int
    offline: int
    first: UtcTime | None
    last: UtcTime | None


class FailureReason(FleetRow):
    """Reason for which devices did not take a release, with one of them as an example."""

    name: str
    version: str
    state: str
    reason: str
    devices: int
    example: str
    example_tenant: str


def rollout_progress(store: FleetStore, tenant: str) -> list[RolloutProgress]:
    """Return the progress of each release and cohort, last changed first.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    return read_records(store, RolloutProgress, PROGRESS, {"tenant": tenant})


def failure_reasons(store: FleetStore, tenant: str) -> list[FailureReason]:
    """Return why devices rejected releases or rolled them back, most frequent first.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    return read_records(store, FailureReason, REASONS, {"tenant": tenant})
