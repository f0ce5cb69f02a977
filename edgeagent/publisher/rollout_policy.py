"""Rollout policy in the signed index: of a release of a model, a version of the agent, or a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeagent.delivery.repository.channel import Release
from edgeagent.publisher.agent_release import set_agent_policy
from edgeagent.publisher.configuration import find_configuration, set_configuration_policy
from edgeagent.publisher.entries import with_policy
from edgeagent.publisher.release import change_release, find_release, read_index
from edgeagent.publisher.repository import Publication
from edgeagent.publisher.rollout_steps import RolledOut


def set_rollout(publication: Publication, which: RolledOut, fields: Mapping[str, Any]) -> None:
    """Change fields of a rollout policy; the others stay. A version of the agent has one on each platform.

    Args:
        publication: to change.
        which: release.
        fields: of :class:`edgeagent.delivery.repository.channel_entry.Rollout`.

    Raises:
        PublishError: there is no such release, it is withdrawn, or a field is invalid.
    """
    if which.kind == "agent":
        set_agent_policy(publication, which.channel, which.version, fields)
    elif which.kind == "configuration":
        set_configuration_policy(publication, which.channel, which.version, fields)
    else:
        set_policy(publication, which.channel, which.name, which.version, fields)


def is_paused(publication: Publication, which: RolledOut) -> bool:
    """Return whether a rollout is paused; that of the agent on any platform.

    Raises:
        PublishError: there is no such release.
    """
    index = read_index(publication, which.channel)
    if which.kind == "agent":
        return any(one.rollout.paused for one in index.agents if one.version == which.version)
    if which.kind == "configuration":
        return find_configuration(index, which.version).rollout.paused
    return find_release(index, which.name, which.version).rollout.paused


def set_policy(
    publication: Publication, channel: str, name: str, version: str, fields: Mapping[str, Any]
) -> Release:
    """Change fields of the rollout policy of a release of a model; the others stay.

    Args:
        publication: to change.
        channel, name, version: of the release.
        fields: of :class:`edgeagent.delivery.repository.channel_entry.Rollout`.

    Raises:
        PublishError: there is no such release, it is withdrawn, or a field is invalid.
    """
    title = f"{name} {version}"
    return change_release(
        publication, channel, name, version, lambda old: with_policy(old, channel, title, fields)
    )
