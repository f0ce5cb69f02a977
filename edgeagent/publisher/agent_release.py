"""Releases of the agent in a channel: add a wheel set, change its policy, withdraw a version."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeagent.delivery.repository.agent_entry import AgentRelease
from edgeagent.publisher.entries import validated_entry, with_policy
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.places import check_target_path
from edgeagent.publisher.release import read_index, write_index
from edgeagent.publisher.repository import Publication
from edgeagent.publisher.roles import ensure_channel
from edgeagent.publisher.wheel_set import CheckedSet, check_wheels, unpack_set


def check_set(
    source: Path, provided: Sequence[str] = (), extras: Sequence[str] = (), python: str | None = None
) -> tuple[CheckedSet, tempfile.TemporaryDirectory[str] | None]:
    """Check a folder of wheels, or an archive of one.

    Args:
        source: folder or archive.
        provided, extras, python: see :func:`edgeagent.publisher.wheel_set.check_wheels`.

    Returns:
        The set, and the folder that its archive was unpacked to, to be kept until it is published.

    Raises:
        WheelSetError: it would not work on the boards.
    """
    if source.is_dir():
        return check_wheels(source, provided, extras, python), None
    folder = tempfile.TemporaryDirectory(prefix="edgeagent-wheels-")
    try:
        manifest = unpack_set(source, Path(folder.name))
        given = (*provided, *manifest.provided)
        return check_wheels(Path(folder.name), given, extras, python or manifest.platform.python), folder
    except BaseException:
        folder.cleanup()
        raise


def add_agent(
    publication: Publication,
    checked: CheckedSet,
    channel: str,
    boards: Sequence[str],
    policy: Mapping[str, Any] | None = None,
) -> AgentRelease:
    """Add a version of the agent for one platform to a channel; a missing channel is made.

    Args:
        publication: to change; nothing is served before it is published.
        checked: wheel set.
        channel: label of the channel.
        boards: names of the boards that take it, or ``any``.
        policy: fields of :class:`edgeagent.delivery.repository.channel_entry.Rollout` without its ``id``.

    Raises:
        PublishError: the channel has this version for this platform already, a name, board or policy is
            invalid, or the disk is too full.
    """
    manifest = checked.manifest
    ensure_channel(publication, channel)
    index = read_index(publication, channel)
    sequence = max((one.sequence for one in index.agents), default=0) + 1
    for one in index.agents:
        if (one.version, one.platform) == (manifest.version, manifest.platform):
            raise PublishError(
                f"{channel}: has edgeagent {one.version} for {one.platform} already; give it a new version"
            )
        if one.version == manifest.version:
            sequence = one.sequence  # of another platform: the same step for the fleet
    fields = {
        "version": manifest.version,
        "sequence": sequence,
        "boards": tuple(boards),
        "platform": manifest.platform,
        "unpacked": manifest.unpacked,
        "record_format": manifest.record_format,
        "minimum_state_format": manifest.minimum_state_format,
        "rollout": {**(policy or {}), "id": f"agent-{manifest.version}"},
    }
    size = sum(wheel.size for wheel in manifest.wheels)
    free = shutil.disk_usage(publication.folder).free
    if 2 * size > free:
        raise PublishError(
            f"{publication.folder}: the wheel set needs {2 * size} bytes, and the disk has {free}; "
            "nothing was published"
        )
    path = validated_entry(AgentRelease, channel, {**fields, "sha256": "0" * 64, "size": 1}).target(channel)
    check_target_path(path)
    with tempfile.TemporaryDirectory(dir=publication.folder, prefix=".agent-") as folder:
        archive = Path(folder) / "set.zip"
        try:
            checked.write(archive)
        except OSError as error:
            raise PublishError(f"{archive}: cannot be written ({error.strerror})") from error
        with archive.open("rb") as source:
            placed = publication.place(path, source)
    content = {"sha256": placed.hashes["sha256"], "size": placed.length}
    release = validated_entry(AgentRelease, channel, {**fields, **content})
    write_index(publication, index.model_copy(update={"agents": (*index.agents, release)}), [placed])
    return release


def change_agent(
    publication: Publication, channel: str, version: str, change: Callable[[AgentRelease], AgentRelease]
) -> list[AgentRelease]:
    """Change a version of the agent on all its platforms, and return the new entries.

    Raises:
        PublishError: the channel has no such version.
    """
    index = read_index(publication, channel)
    if all(one.version != version for one in index.agents):
        known = ", ".join(sorted({one.version for one in index.agents})) or "none"
        raise PublishError(f"{channel}: has no edgeagent {version}; it has {known}")
    agents = tuple(change(one) if one.version == version else one for one in index.agents)
    write_index(publication, index.model_copy(update={"agents": agents}))
    return [one for one in agents if one.version == version]


def set_agent_policy(
    publication: Publication, channel: str, version: str, fields: Mapping[str, Any]
) -> list[AgentRelease]:
    """Change fields of the rollout policy of a version, on all its platforms.

    Raises:
        PublishError: the channel has no such version, it is withdrawn, or a field is invalid.
    """

    title = f"edgeagent {version}"
    return change_agent(publication, channel, version, lambda one: with_policy(one, channel, title, fields))


def withdraw_agent(publication: Publication, channel: str, version: str, reason: str) -> list[AgentRelease]:
    """Withdraw a version on all its platforms, with a reason that devices show.

    Raises:
        PublishError: the channel has no such version.
    """
    return change_agent(
        publication, channel, version, lambda one: one.model_copy(update={"withdrawn": reason})
    )
