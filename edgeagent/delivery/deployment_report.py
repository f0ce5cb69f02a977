"""MQTT messages ``deployment`` and ``update``, built from the deployment record."""

from __future__ import annotations

import time

from edgeagent.delivery.repository.channel import Channel, Release
from edgeagent.delivery.state.record import FINAL_STATES, Deployment, Installed, Record
from edgeagent.delivery.update.policy import find_offered
from edgeagent.files.naming import shortened
from edgeagent.telemetry.contract.deployment import (
    AgentReport,
    BadReport,
    ConfigurationReport,
    DeploymentMessage,
    GateSummary,
    ModelReport,
    UpdateMessage,
)
from edgeagent.telemetry.contract.messages import ProblemCode
from edgeagent.timing.utc import utc_time

MAX_SUMMARY = 255  # characters that Home Assistant accepts


def build_deployment(
    record: Record,
    channel: Channel | None,
    *,
    boot_id: str | None = None,
    progress: float | None = None,
    waiting: str | None = None,
    gate: GateSummary | None = None,
    agent: AgentReport | None = None,
    configuration: ConfigurationReport | None = None,
) -> DeploymentMessage:
    """Return the message ``deployment``.

    Args:
        record: deployment record.
        channel: last verified index, with the rollout; None where it is not known.
        boot_id: of the kernel.
        progress: fetched share of the bytes, 0..1; None when nothing is fetched.
        waiting: why the deployment waits; None if it does not.
        gate: results for the model of the deployment.
        agent: versions of the agent itself; None where it is not updated.
        configuration: signed configurations of the device; None where none are followed.
    """
    deployment = record.deployment
    release = (
        find_offered(channel, deployment.model) if channel is not None and deployment is not None else None
    )
    return DeploymentMessage(
        time=utc_time(time.time()),
        boot_id=boot_id,
        state="idle" if deployment is None else deployment.state,
        name=None if deployment is None else deployment.model.name,
        version=None if deployment is None else deployment.model.version,
        sequence=None if deployment is None else deployment.model.sequence,
        reason=None if deployment is None else deployment.reason,
        progress_percent=_percent(progress),
        since=None if deployment is None else deployment.since,
        source=None if deployment is None else deployment.source,
        rollout=None if release is None else release.rollout.id,
        gate=gate,
        waiting=waiting,
        current=_model(record.current),
        previous=_model(record.previous),
        pinned=record.pinned,
        bad=tuple(BadReport(model=bad.model, reason=bad.reason, since=bad.since) for bad in record.bad),
        agent=agent,
        configuration=configuration,
    )


def build_update(
    record: Record,
    configured: tuple[str, str],
    *,
    target: Release | None = None,
    progress: float | None = None,
    waiting: str | None = None,
) -> UpdateMessage:
    """Return the message ``update``.

    Args:
        record: deployment record.
        configured: name and version of the configured bundle, which serves until a model is good.
        target: release that the device is to move to.
        progress: fetched share of the bytes, 0..1; None when nothing is fetched.
        waiting: why the deployment waits; None if it does not.
    """
    installed = configured if record.current is None else (record.current.name, record.current.version)
    coming = _in_progress(record)
    latest = installed if target is None else (target.name, target.version)
    latest = latest if coming is None else (coming.model.name, coming.model.version)
    same_model = installed[0] == latest[0]
    in_progress = coming is not None and not (coming.state == "staged" and waiting is not None)
    summary = _failure(record) or waiting
    return UpdateMessage(
        installed_version=installed[1] if same_model else " ".join(installed),
        latest_version=latest[1] if same_model else " ".join(latest),
        title=latest[0],
        release_summary=None if summary is None else shortened(summary, MAX_SUMMARY),
        in_progress=in_progress,
        update_percentage=_percent(progress) if in_progress else None,
    )


def problem(record: Record) -> tuple[ProblemCode, str, str] | None:
    """Return code, text and time of the last deployment's failure; None if it did not fail.

    The next deployment clears it.
    """
    deployment, text = record.deployment, _failure(record)
    if deployment is None or text is None:
        return None
    code: ProblemCode = "rolled_back" if deployment.state == "rolled_back" else "update_rejected"
    return code, text, deployment.since


def _in_progress(record: Record) -> Deployment | None:
    deployment = record.deployment
    return None if deployment is None or deployment.state in FINAL_STATES else deployment


def _failure(record: Record) -> str | None:
    deployment = record.deployment
    if deployment is None or deployment.state not in ("rolled_back", "rejected"):
        return None
    done = "was rolled back" if deployment.state == "rolled_back" else "was rejected"
    return (
        f"{deployment.model.name} {deployment.model.version} {done}: {deployment.reason or 'no reason given'}"
    )


def _model(model: Installed | None) -> ModelReport | None:
    if model is None:
        return None
    return ModelReport(name=model.name, version=model.version, sequence=model.sequence)


def _percent(progress: float | None) -> float | None:
    return None if progress is None else round(min(1.0, max(0.0, progress)) * 100, 1)
