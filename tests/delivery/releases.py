"""Releases, channels and devices for tests of what is decided about them."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from typing import Any

from edgeagent.delivery.repository.channel import Channel, Release
from edgeagent.delivery.repository.channel_entry import Rollout
from edgeagent.delivery.state.record import BadModel, Deployment, Installed, Record
from edgeagent.delivery.update.policy import Device
from edgeagent.telemetry.contract.deployment import State

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=timezone.utc)
NOON_TEXT = "2026-01-31T12:00:00.000Z"


def rollout(**changes: Any) -> Rollout:
    """A rollout to everybody, at once, but for what is changed."""
    return Rollout.model_validate({"id": "r1", **changes})


def release(sequence: int, policy: Rollout | None = None, **changes: Any) -> Release:
    """The release ``coco-nano 1.<sequence>.0``."""
    version = str(changes.pop("version", f"1.{sequence}.0"))
    fields: dict[str, Any] = {
        "name": "coco-nano",
        "version": version,
        "sequence": sequence,
        "boards": ("any",),
        "manifest_sha256": hashlib.sha256(version.encode()).hexdigest(),
        "files": {"manifest.yaml": 100},
        "rollout": policy or rollout(),
    }
    return Release.model_validate({**fields, **changes})


def channel(*releases: Release) -> Channel:
    """The channel ``stable``."""
    return Channel(channel="stable", releases=releases)


def device(**changes: Any) -> Device:
    """A Raspberry Pi 5 at noon, but for what is changed."""
    fields: dict[str, Any] = {
        "id": "gate-pi",
        "boards": ("rpi5", "any"),
        "labels": ("yard",),
        "local_time": NOON,
    }
    return Device(**{**fields, **changes})


def installed(of: Release) -> Installed:
    """A release in its slot."""
    return Installed(slot=of.slot, name=of.name, version=of.version, sequence=of.sequence)


def bad(of: Release, reason: str = "mAP 0.21 is below 0.30") -> BadModel:
    """A release that failed here."""
    return BadModel(slot=of.slot, reason=reason, since=NOON_TEXT)


def deployment(of: Release, state: State, **changes: Any) -> Deployment:
    """A release on its way."""
    return Deployment(model=installed(of), state=state, since=NOON_TEXT, **changes)


def record(current: Release | None = None, **changes: Any) -> Record:
    """What a device remembers that runs ``current``."""
    return Record(current=None if current is None else installed(current), **changes)
