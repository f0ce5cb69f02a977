"""Status of a repository: roles with their keys and expiry, channels with their releases, staged metadata."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field
from tuf.api.metadata import Metadata, Root, Targets

from edgeagent.delivery.repository.agent_entry import AgentRelease
from edgeagent.delivery.repository.channel import INDEX, Channel, Release, parse_channel
from edgeagent.delivery.repository.configuration_entry import Configuration
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.opening import check_folder
from edgeagent.publisher.places import served_path
from edgeagent.publisher.roles import ROLES
from edgeagent.publisher.rollout_steps import Plan, read_steps
from edgeagent.publisher.served import Served, read_staged
from edgeagent.publisher.signers import PublisherConfig, read_config


class KeyStatus(BaseModel):
    """Key, with the URI of its private key; None where it is not known here."""

    keyid: str
    kind: str
    signer: str | None = None


class RoleStatus(BaseModel):
    """Role or channel; version and expiry are None where it has no metadata yet."""

    role: str
    version: int | None = None
    expires: datetime | None = None
    days_left: float | None = None
    threshold: int
    keys: list[KeyStatus]


class ChannelStatus(BaseModel):
    """Channel with its releases, configurations and versions of the agent."""

    channel: str
    releases: list[Release]
    configurations: list[Configuration] = Field(default_factory=list)
    agents: list[AgentRelease] = Field(default_factory=list)


class RepositoryStatus(BaseModel):
    """Status of a repository.

    Attributes:
        roles: roles and channels.
        channels: with their releases.
        steps: plans of the rollouts.
        staged: version and number of signatures of the staged metadata, by role.
    """

    roles: list[RoleStatus]
    channels: list[ChannelStatus]
    steps: list[Plan]
    staged: dict[str, tuple[int, int]]


def repository_status(folder: Path, now: datetime) -> RepositoryStatus:
    """Return the status of a publisher's folder, without verifying it.

    Args:
        folder: of the publisher.
        now: time, UTC.

    Raises:
        DeliveryError: it is not a publisher's folder, or damaged.
    """
    check_folder(folder)
    served, config = Served(folder), read_config(folder)
    staged = {role: (md.signed.version, len(md.signatures)) for role, md in read_staged(folder).items()}
    root, targets = served.metadata(Root.type), served.metadata(Targets.type)
    roles, channels = [], []
    if root is not None:
        roles = [_role(name, root.signed, served.metadata(name), config, now) for name in ROLES]
    for name, md in served.channels().items():
        if targets is not None:
            roles.append(_role(name, targets.signed, md, config, now))
        index = _index(folder, name, md)
        channels.append(
            ChannelStatus(
                channel=name,
                releases=list(index.releases),
                configurations=list(index.configurations),
                agents=list(index.agents),
            )
        )
    return RepositoryStatus(
        roles=roles, channels=channels, steps=list(read_steps(folder).plans), staged=staged
    )


def served_indexes(folder: Path) -> dict[str, Channel]:
    """Return the index of every served channel, by its name, without verifying it.

    Raises:
        DeliveryError: it is not a publisher's folder, or damaged.
    """
    check_folder(folder)
    return {name: _index(folder, name, md) for name, md in Served(folder).channels().items()}


def _role(
    name: str, delegator: Root | Targets, md: Metadata[Any] | None, config: PublisherConfig, now: datetime
) -> RoleStatus:
    role = delegator.get_delegated_role(name)
    keys = [
        KeyStatus(keyid=keyid, kind=delegator.get_key(keyid).keytype, signer=config.signers.get(keyid))
        for keyid in role.keyids
    ]
    expires = md.signed.expires if md else None
    return RoleStatus(
        role=name,
        version=md.signed.version if md else None,
        expires=expires,
        days_left=(expires - now).total_seconds() / 86400 if expires else None,
        threshold=role.threshold,
        keys=keys,
    )


def _index(folder: Path, name: str, md: Metadata[Any] | None) -> Channel:
    target = md.signed.targets.get(f"{name}/{INDEX}") if md else None
    if target is None:
        return Channel(channel=name)
    path = served_path(folder, target)
    try:
        return parse_channel(path.read_bytes(), str(path))
    except OSError as error:
        raise PublishError(f"{path}: cannot be read ({error.strerror}); restore it from a copy") from None
