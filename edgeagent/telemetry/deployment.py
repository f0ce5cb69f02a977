"""How models come and go: the messages ``deployment`` and ``update`` (docs/mqtt.md), and what is an alarm.

All here is arithmetic on what the updater remembers and says.
"""

from __future__ import annotations

import json
import time
from typing import Literal

from edgeagent.delivery.channel import Channel, Release
from edgeagent.delivery.policy import find
from edgeagent.delivery.record import ENDS, Deployment, Installed, Record, State
from edgeagent.telemetry.messages import Message, ProblemCode, utc_time

MOST_SUMMARY = 255  # characters that Home Assistant takes


class ModelReport(Message):
    """A model that is or was good here."""

    name: str
    version: str
    sequence: int


class BadReport(Message):
    """A model that is not tried again here; ``model`` is name and version."""

    model: str
    reason: str
    since: str


class GateReport(Message):
    """What a model showed on this board before it served."""

    p90_ms: float | None = None
    map50_95: float | None = None
    notes: tuple[str, ...]


class DeploymentMessage(Message):
    """``deployment``: the last model on its way, or at its end, and what is remembered; retained."""

    time: str
    boot_id: str | None = None
    state: Literal["idle"] | State
    name: str | None = None
    version: str | None = None
    sequence: int | None = None
    reason: str | None = None
    progress_percent: float | None = None
    since: str | None = None
    source: Literal["channel", "command", "hawkbit"] | None = None
    rollout: str | None = None
    gate: GateReport | None = None
    waiting: str | None = None
    current: ModelReport | None = None
    previous: ModelReport | None = None
    pinned: str | None = None
    bad: tuple[BadReport, ...]


class UpdateMessage(Message):
    """``update``: the state of an update entity of Home Assistant; retained."""

    installed_version: str
    latest_version: str
    title: str
    release_summary: str | None = None
    in_progress: bool
    update_percentage: float | None

    def payload(self) -> bytes:
        """Return the JSON to publish; a percentage that is over must be sent as null, or it would stay."""
        fields = self.model_dump(exclude_none=True)
        return json.dumps({**fields, "update_percentage": self.update_percentage}).encode()


def build_deployment(
    record: Record,
    channel: Channel | None,
    *,
    boot_id: str | None = None,
    progress: float | None = None,
    waiting: str | None = None,
    gate: GateReport | None = None,
) -> DeploymentMessage:
    """Return the message.

    Args:
        record: what is remembered.
        channel: as last verified; tells the rollout.
        boot_id: of the kernel.
        progress: share of the bytes that have been fetched, 0..1; None when nothing is fetched.
        waiting: why nothing is done now.
        gate: of the model of the deployment.
    """
    deployment = record.deployment
    release = find(channel, deployment.model) if channel is not None and deployment is not None else None
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
    )


def build_update(
    record: Record,
    configured: tuple[str, str],
    *,
    wished: Release | None = None,
    progress: float | None = None,
    waiting: str | None = None,
) -> UpdateMessage:
    """Return the message.

    Args:
        record: what is remembered.
        configured: name and version of the bundle of the configuration, which serves as long as none is good.
        wished: the release that the device is to move to.
        progress: share of the bytes that have been fetched, 0..1; None when nothing is fetched.
        waiting: why nothing is done now.
    """
    installed = configured if record.current is None else (record.current.name, record.current.version)
    coming = _under_way(record)
    latest = installed if wished is None else (wished.name, wished.version)
    latest = latest if coming is None else (coming.model.name, coming.model.version)
    same_model = installed[0] == latest[0]
    in_progress = coming is not None and not (coming.state == "staged" and waiting is not None)
    summary = _failure(record) or waiting
    return UpdateMessage(
        installed_version=installed[1] if same_model else " ".join(installed),
        latest_version=latest[1] if same_model else " ".join(latest),
        title=latest[0],
        release_summary=None if summary is None else shortened(summary, MOST_SUMMARY),
        in_progress=in_progress,
        update_percentage=_percent(progress) if in_progress else None,
    )


def problem(record: Record) -> tuple[ProblemCode, str, str] | None:
    """Return code, text and beginning of what is wrong with the last deployment; None if nothing is.

    It is over with the next deployment.
    """
    deployment, text = record.deployment, _failure(record)
    if deployment is None or text is None:
        return None
    code: ProblemCode = "rolled_back" if deployment.state == "rolled_back" else "update_rejected"
    return code, text, deployment.since


def shortened(text: str, most: int) -> str:
    """Return a text of at most ``most`` characters, its end cut off where it is longer."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _under_way(record: Record) -> Deployment | None:
    deployment = record.deployment
    return None if deployment is None or deployment.state in ENDS else deployment


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
